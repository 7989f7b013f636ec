import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cluster } from "./commands/cluster.ts";
import { completion } from "./commands/completion.ts";
import { down } from "./commands/down.ts";
import { list } from "./commands/list.ts";
import { runCommand } from "./commands/run.ts";
import { stats } from "./commands/stats.ts";
import { wait } from "./commands/wait.ts";
import { completionAt } from "./completions.ts";

const commands = [runCommand(), list, wait, stats, down, completion];

/** What fits in short: a word that says what is asked for, or the candidates. */
function fits(...words: readonly string[]): string | readonly string[] {
  const { fits: found } = completionAt(words, commands);
  return typeof found === "string" ? found : found.map(({ word }) => word);
}

describe("completionAt()", () => {
  it("offers commands first, also after flags", () => {
    const names = ["list", "wait", "stats", "down", "completion"];
    assert.deepEqual(fits(""), names);
    assert.deepEqual(fits("--context", "dev", "--no-helper", "l"), names);
    assert.deepEqual(fits(), names);
  });

  it("offers the flags of the command, or of the daemon", () => {
    assert(fits("list", "-").includes("--output"));
    assert(fits("list", "--").includes("--socket"));
    assert(!fits("--").includes("--output"));
  });

  it("offers the values of a flag, in each form", () => {
    const formats = ["table", "wide", "json", "hosts"];
    assert.deepEqual(fits("list", "-o", ""), formats);
    // Another command has a flag of that name.
    assert.deepEqual(fits("stats", "-o", ""), ["table", "json"]);
    assert.deepEqual(fits("stats", "--output", ""), ["table", "json"]);
    assert.deepEqual(completionAt(["list", "--output=j"], commands).before, "--output=");
    assert.deepEqual(fits("list", "--output=j"), formats);
    for (const words of [
      ["list", "--output", "="],
      ["list", "--output", "=", "j"],
    ]) {
      const { before, typed } = completionAt(words, commands);
      assert.deepEqual([before, typed], ["", words[3] ?? ""], "bash has split it and wants the value alone");
      assert.deepEqual(fits(...words), formats);
    }
    assert.equal(fits("--kubeconfig", ""), "files");
    assert.equal(fits("--state-dir="), "files");
    assert.equal(fits("list", "--namespace", "s"), "namespaces");
    assert.deepEqual(fits("--context", ""), []);
  });

  it("offers what a command means by a flag of all commands", () => {
    const offered = (command: typeof cluster) => {
      const { fits: found } = completionAt([command.name, "--"], [cluster, list]);
      assert.ok(typeof found !== "string");
      return found.filter(({ word }) => word === "--namespace").map(({ text }) => text);
    };
    assert.deepEqual(offered(cluster), ["where it runs; default localizer"]);
    assert.match(offered(list).join(), /^only Services of this namespace/);
    assert.deepEqual(completionAt(["cluster", ""], [cluster]).fits, [{ word: "manifest", text: "" }]);
  });

  it("takes a flag after --short-names for a flag", () => {
    assert.equal(fits("--short-names", ""), "namespaces");
    assert(fits("--short-names", "--so").includes("--socket"));
    assert.equal(fits("--short-names", "--kubeconfig", ""), "files");
  });

  it("offers a command's words, as many as it takes", () => {
    assert.equal(fits("wait", ""), "services");
    assert.equal(fits("wait", "shop/cart", "--timeout", "3s", ""), "services");
    assert.deepEqual(fits("completion", ""), ["bash", "zsh", "fish"]);
    assert.deepEqual(fits("completion", "bash", ""), []);
    assert.deepEqual(fits("down", ""), []);
    assert.deepEqual(fits("nonsense", ""), []);
  });
});
