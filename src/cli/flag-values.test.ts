import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { list } from "./commands/list.ts";
import { type FlagValues, withEnvironment as fillIn, isOn, many, one, variableOf } from "./flag-values.ts";
import { globalFlags } from "./global-flags.ts";

const withEnvironment = (given: FlagValues, env: NodeJS.ProcessEnv) => fillIn(given, env, globalFlags);
const flags = (values: Record<string, string[]>) => new Map(Object.entries(values));

describe("withEnvironment()", () => {
  it("fills in what was not given", () => {
    const all = withEnvironment(flags({}), {
      LOCALIZER_KUBECONFIG: "/k",
      LOCALIZER_SKIP_NAMESPACE: "a,b",
      LOCALIZER_NO_HELPER: "1",
    });
    assert.equal(one(all, "kubeconfig"), "/k");
    assert.deepEqual(many(all, "skip-namespace"), ["a", "b"]);
    assert.equal(isOn(all, "no-helper"), true);
    assert.equal(isOn(all, "help"), false);
  });

  it("lets flags win over LOCALIZER_ variables, and those over the original's", () => {
    const env = { LOCALIZER_CONTEXT: "ours", KUBECONTEXT: "theirs", LOG_LEVEL: "DEBUG", LOG_FORMAT: "JSON" };
    assert.equal(one(withEnvironment(flags({ context: ["given"] }), env), "context"), "given");
    assert.equal(one(withEnvironment(flags({}), env), "context"), "ours");
    const original = withEnvironment(flags({}), { ...env, LOCALIZER_CONTEXT: "" });
    assert.equal(one(original, "context"), "theirs");
    assert.equal(one(original, "log-level"), "DEBUG");
    assert.equal(one(original, "log-format"), "JSON");
  });

  it("has a variable for every flag, those of commands too, but for help, version and user", () => {
    const known = { ...globalFlags, ...list.flags };
    const names = Object.keys(known);
    const env = Object.fromEntries(names.map((name) => [variableOf(name), name]));
    const filled = fillIn(flags({}), env, known);
    const without = ["help", "version", "user"];
    assert.deepEqual(
      [...filled],
      names.filter((name) => !without.includes(name)).map((name) => [name, [name]]),
    );
    assert.equal(one(filled, "output"), "output");
  });

  it("does not add a flag's values to those of the environment", () => {
    const all = withEnvironment(flags({ namespace: ["given"] }), { LOCALIZER_NAMESPACE: "a,b" });
    assert.deepEqual(many(all, "namespace"), ["given"]);
  });

  it("leaves out the variable of a flag that a given switch beats, but not the flag itself", () => {
    const known = { ...globalFlags, all: { type: "boolean", env: false, beats: "namespace", text: "" } } as const;
    const env = { LOCALIZER_NAMESPACE: "shop", LOCALIZER_CONTEXT: "test" };
    const filled = (given: Record<string, string[]>) => [...fillIn(flags(given), env, known)];
    const context = ["context", ["test"]];
    assert.deepEqual(filled({ all: ["true"] }), [["all", ["true"]], context]);
    assert.deepEqual(filled({ all: ["false"] }), [["all", ["false"]], context, ["namespace", ["shop"]]]);
    assert.deepEqual(many(fillIn(flags({ all: ["true"], namespace: ["bank"] }), env, known), "namespace"), ["bank"]);
  });

  it("ignores words of other programs in LOG_LEVEL and LOG_FORMAT, and has no variable for --help", () => {
    const all = withEnvironment(flags({}), { LOG_LEVEL: "trace", LOG_FORMAT: "logfmt", LOCALIZER_HELP: "1" });
    assert.equal(all.size, 0);
  });
});

describe("isOn()", () => {
  it("refuses what is neither yes nor no", () => {
    assert.throws(() => isOn(flags({ "no-helper": ["maybe"] }), "no-helper"), { code: "usage" });
    assert.equal(isOn(flags({ "no-helper": ["true", "false"] }), "no-helper"), false, "the last one counts");
  });
});
