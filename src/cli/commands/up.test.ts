import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fakeIo } from "../../../test/rpc/fake-io.ts";
import { turns } from "../../../test/support/event-loop.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { LocalizerError } from "../../errors.ts";
import { type StartInBackground, upCommand } from "./up.ts";

describe("upCommand()", () => {
  it("shows the log, and ends with the summary when all is stable", async () => {
    using world = makeWorld({ stable: [false, new LocalizerError("unavailable", "not yet"), true] });
    const running = world.run();
    world.log("Reached the cluster\nPassword: ");
    world.summary.resolve("3 services answer");
    assert.equal(await world.done(running), 0);
    assert.equal(world.io.out(), "3 services answer\n");
    assert.equal(world.io.err(), "Reached the cluster\nPassword: ");
    assert.match(readFileSync(world.path, "utf8"), /3 services answer\n$/);
    assert.deepEqual([world.steps, world.io.listening()], [["start", "release"], 0]);
  });

  it("passes the flags on, but for its own", async () => {
    using world = makeWorld({ stable: [true] });
    const running = world.run({ timeout: ["90s"], namespace: ["a", "b"], "no-helper": ["true"] });
    world.summary.resolve("ready");
    await world.done(running);
    assert.deepEqual(world.flags(), ["--namespace=a", "--namespace=b", "--no-helper=true"]);
  });

  for (const [code, exit] of [
    [5, 5],
    [0, 1],
  ] as const) {
    it(`exits with ${exit} when the daemon ends with ${code} before it is ready, and shows the last words`, async () => {
      using world = makeWorld();
      const running = world.run();
      world.log("localizer: Cannot reach the cluster\n");
      world.ended.resolve(code);
      assert.equal(await world.done(running), exit);
      assert.match(
        world.io.err(),
        /^localizer: Cannot reach the cluster\nlocalizer: The daemon ended before .*its log\n/,
      );
      assert.deepEqual([existsSync(world.draft), existsSync(world.path)], [false, true], "another's log stays");
    });
  }

  it("says timeout, leaves the daemon, and names the log", async () => {
    using world = makeWorld();
    const running = world.run({ timeout: ["5s"] });
    const rejected = assert.rejects(world.done(running), {
      code: "timeout",
      message: /not ready after 5 s; it goes on starting, and its log is ".*localizer\.log\.starting-1"$/,
    });
    await turns();
    await world.clock.advance(5_000);
    await rejected;
    assert.deepEqual(world.steps, ["start", "release"]);
  });

  for (const [request, code] of [
    ["SIGINT", 130],
    ["SIGHUP", 129],
    ["SIGTERM", 143],
  ] as const) {
    it(`stops the daemon on ${request}, waits for its end and exits with ${code}`, async () => {
      using world = makeWorld();
      const running = world.run();
      await turns();
      world.io.ask(request);
      world.log("Stopping\n");
      world.ended.resolve(0);
      assert.equal(await world.done(running), code);
      assert.equal(world.io.err(), "Stopping\n");
      assert.deepEqual(world.steps, ["start", "stop", "release"]);
    });
  }

  it("starts nothing when a daemon answers, or a flag is wrong", async () => {
    const conflict = new LocalizerError("conflict", "A daemon answers already");
    using world = makeWorld({ running: conflict });
    await assert.rejects(world.run(), { code: "conflict" });
    using other = makeWorld();
    for (const timeout of ["soon", "999999h", "-1s", "2x"]) {
      await assert.rejects(other.run({ timeout: [timeout] }), { code: "usage", message: /--timeout: want/ });
    }
    await assert.rejects(other.run({ "ip-cidr": ["10.0.0.0/8"] }), { code: "usage" });
    assert.deepEqual([world.steps, other.steps], [[], []]);
  });
});

function makeWorld(options: { stable?: (boolean | LocalizerError)[]; running?: LocalizerError } = {}) {
  const folder = temporaryFolder();
  const path = join(folder.path, "localizer.log");
  const draft = `${path}.starting-1`;
  for (const each of [path, draft]) writeFileSync(each, "");
  const clock = new FakeClock();
  const io = fakeIo({}, clock);
  const summary = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<number>();
  const steps: string[] = [];
  let flags: readonly string[] = [];
  const start: StartInBackground = (how) => {
    steps.push("start");
    flags = how.flags;
    const note = (what: string) => () => void steps.push(what);
    return {
      logPath: path,
      startLogPath: draft,
      summary: summary.promise,
      ended: ended.promise,
      stop: note("stop"),
      release: note("release"),
    };
  };
  const answers = options.stable ?? [];
  const command = upCommand({
    load: async () => start,
    running: async () => options.running,
    async isStable() {
      const answer = answers.shift() ?? false;
      if (typeof answer === "boolean") return answer;
      throw answer;
    },
  });
  return {
    ...{ path, draft, clock, io, summary, ended, steps },
    flags: () => flags,
    log: (text: string) => writeFileSync(draft, text, { flag: "a" }),
    run: (given: Readonly<Record<string, readonly string[]>> = {}) =>
      command.run({ io, flags: new Map(Object.entries(given)), operands: [] }),
    /** Waits for it, with small steps of the clock. */
    async done(running: Promise<number>): Promise<number> {
      let isOver = false;
      const over = () => {
        isOver = true;
      };
      running.then(over, over);
      while (!isOver) {
        await clock.advance(10);
        await turns();
      }
      return await running;
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}
