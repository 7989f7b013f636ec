import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openFakeDaemon, temporaryFolder } from "../../../test/rpc/fake-daemon.ts";
import { endLines, saying, startLines } from "../../../test/rpc/fake-exposure.ts";
import { fakeIo } from "../../../test/rpc/fake-io.ts";
import { systemClock } from "../../clock.ts";
import { LocalizerError } from "../../errors.ts";
import type { EnvironmentWish, WorkloadEnvironment } from "../../rpc/workload-environment.ts";
import type { DaemonState } from "../../server/daemon-state.ts";
import { main } from "../main.ts";

const environment: WorkloadEnvironment = {
  source: 'Deployment "cart"',
  container: "app",
  variables: [
    { name: "MODE", value: "fast" },
    { name: "PATH", value: "/app/bin" },
    { name: "NODE_OPTIONS", value: "--import /app/x.js" },
  ],
  omitted: [{ name: "PASSWORD", reason: 'it comes from key "password" of Secret "db": --env-secrets reads it' }],
  notices: [],
};

/** Runs it against a daemon that knows the environment; a program ends at once with 0. */
async function run(argv: readonly string[], state: Partial<DaemonState> = {}) {
  const asked: EnvironmentWish[] = [];
  const done: string[] = [];
  await using daemon = await openFakeDaemon({
    async workloadEnvironment(wish) {
      asked.push(wish);
      return environment;
    },
    expose() {
      done.push("expose");
      return saying(startLines);
    },
    stopExpose: () => saying(endLines),
    ...state,
  });
  let given: Readonly<Record<string, string>> | undefined;
  const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath }, systemClock, async () => async (variables) => {
    given = variables;
    return { ended: Promise.resolve(0), passOn: () => {} };
  });
  const code = await main(["expose", "shop/cart", ...argv], io);
  return { code, out: io.out(), err: io.err(), asked, done, given };
}

describe("expose, with the workload's environment", () => {
  it("writes it to files for their owner alone, before traffic flows, and names what is left out", async () => {
    using folder = temporaryFolder();
    const [dotenv, json] = [join(folder.path, ".env"), join(folder.path, "env.json")];
    const { code, out, asked } = await run(["--env-file", dotenv, "--env-json", json, "--map", "8080:http"]);
    assert.equal(code, 0);
    assert.deepEqual(asked, [{ namespace: "shop", service: "cart", portMaps: ["8080:http"], secrets: false }]);
    assert.match(
      readFileSync(dotenv, "utf8"),
      /^MODE=fast\n(#.*\n)# PATH=\/app\/bin\n\1# NODE_OPTIONS='--import \/app\/x.js'\n# PASSWORD is left out: it comes from key/m,
    );
    assert.deepEqual(JSON.parse(readFileSync(json, "utf8")), { MODE: "fast" });
    for (const path of [dotenv, json]) assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(out.split("\n").slice(0, 4), [
      `Wrote 1 variable of container "app" to "${dotenv}"`,
      `Wrote 1 variable of container "app" to "${json}"`,
      'Warning: Variable PASSWORD of Deployment "cart" is left out: it comes from key "password" of Secret "db": --env-secrets reads it',
      'Warning: Variable NODE_OPTIONS of Deployment "cart" is left out: it could have something run on this machine; --env-all takes that risk',
    ]);
  });

  it("writes all of it with --env-all, and gives all to the program but for places", async () => {
    using folder = temporaryFolder();
    const [dotenv, json] = [join(folder.path, ".env"), join(folder.path, "env.json")];
    const files = ["--env-file", dotenv, "--env-json", json];
    const { given, err } = await run([...files, "--env", "--env-all", "--", "npm", "start"]);
    const options = { NODE_OPTIONS: "--import /app/x.js" };
    assert.match(readFileSync(dotenv, "utf8"), /^MODE=fast\nPATH=\/app\/bin\nNODE_OPTIONS='--import/m);
    assert.deepEqual(JSON.parse(readFileSync(json, "utf8")), { MODE: "fast", PATH: "/app/bin", ...options });
    assert.deepEqual(given, { MODE: "fast", ...options });
    assert.doesNotMatch(err, /--env-all/);
  });

  it("gives it to the program, but for what says where things are on this machine", async () => {
    const { code, err, given, asked } = await run(["--env", "--env-secrets", "--", "npm", "start"]);
    assert.equal(code, 0);
    assert.deepEqual(given, { MODE: "fast" });
    assert.equal(asked[0]?.secrets, true);
    assert.match(err, /^The program gets 1 variable of container "app"; PATH stays as it is here$/m);
    assert.match(err, /^Warning: Variable NODE_OPTIONS of Deployment "cart" is left out: /m);
  });

  it("asks for nothing and gives nothing unless told to", async () => {
    const { asked, given } = await run(["--", "npm", "start"]);
    assert.deepEqual([asked, given], [[], {}]);
  });

  it("exposes nothing when the environment cannot be had, or the file not be written", async () => {
    const refuses = async () => {
      throw new LocalizerError("not-found", "There is no such Service");
    };
    const missing = await run(["--env-file", "x"], { workloadEnvironment: refuses });
    assert.deepEqual([missing.code, missing.done], [4, []]);
    assert.match(missing.err, /There is no such Service/);
    const closed = await run(["--env-file", "/nonexistent/.env"]);
    assert.deepEqual([closed.code, closed.done], [4, []]);
    assert.match(closed.err, /Cannot write "\/nonexistent\/\.env": no such file or directory/);
  });

  it("exits with 2 for words that do not go together", async () => {
    const cases: readonly (readonly [argv: readonly string[], sentence: RegExp])[] = [
      [["--env"], /Cannot use --env without a program after "--"/],
      [["--env-secrets"], /Cannot use --env-secrets alone: want one of --env-file, --env-json, --env with it/],
      [["--env-all"], /Cannot use --env-all alone: want one of --env-file, --env-json, --env with it/],
      [["--stop", "--env-file", "x"], /--stop together with --env-file/],
      [["--stop", "--env-secrets"], /--stop together with --env-secrets/],
      [["--dry-run", "--env-json", "x"], /--dry-run together with --env-json/],
      [["--env-file="], /Flag "--env-file" needs a value/],
    ];
    for (const [argv, sentence] of cases) {
      const { code, err, asked, done } = await run(argv);
      assert.deepEqual([code, asked, done], [2, [], []], argv.join(" "));
      assert.match(err, sentence);
    }
  });
});
