import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FakeIo, fakeIo } from "../../../test/rpc/fake-io.ts";
import { systemClock } from "../../clock.ts";
import type { StartDaemon } from "../../daemon/daemon-options.ts";
import { LocalizerError, throwIfAborted } from "../../errors.ts";
import { main } from "../main.ts";
import { runCommand } from "./run.ts";

/** A daemon to order: what ends it, how its end goes, and what was done with it. */
function fakeDaemon(ended: Promise<void> = new Promise(() => {}), dispose: () => Promise<void> = async () => {}) {
  const started = Promise.withResolvers<void>();
  const done: string[] = [];
  const start: StartDaemon = async ({ namespaces }, signal) => {
    throwIfAborted(signal);
    done.push(`start ${namespaces}`);
    started.resolve();
    return {
      summary: "3 Services answer",
      ended,
      async [Symbol.asyncDispose]() {
        done.push("dispose");
        await dispose();
      },
    };
  };
  return { started: started.promise, done, run: (io: FakeIo, ...argv: string[]) => main(argv, io, commandOf(start)) };
}

function commandOf(start: StartDaemon) {
  return runCommand(async () => start);
}

/** A clock to step by hand; its timers are called by `fire`. */
function handClock() {
  let now = 0;
  const timers = new Set<() => void>();
  return {
    clock: {
      ...systemClock,
      monotonic: () => now,
      after(_ms: number, run: () => void) {
        timers.add(run);
        return { [Symbol.dispose]: () => void timers.delete(run) };
      },
    },
    step: (ms: number) => {
      now += ms;
    },
    fire: () => {
      for (const run of timers) run();
    },
    pending: () => timers.size,
  };
}

describe("runCommand()", () => {
  for (const request of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`stops in order and returns 0 on ${request}`, async () => {
      const daemon = fakeDaemon();
      const io = fakeIo();
      const running = daemon.run(io, "--namespace", "shop");
      await daemon.started;
      io.ask(request);
      assert.equal(await running, 0);
      assert.deepEqual(daemon.done, ["start shop", "dispose"]);
      assert.equal(io.listening(), 0);
      assert.deepEqual(io.exits, []);
    });
  }

  it("ends its start with the summary on stdout, and returns 0 when it was stopped over the wire", async () => {
    const killed = Promise.withResolvers<void>();
    const daemon = fakeDaemon(killed.promise);
    const io = fakeIo();
    const running = daemon.run(io);
    await daemon.started;
    killed.resolve();
    assert.equal(await running, 0);
    assert.equal(io.out(), "3 Services answer\n");
    assert.deepEqual(daemon.done, ["start ", "dispose"]);
  });

  it("disposes and exits with its code when the daemon fails", async () => {
    const daemon = fakeDaemon(Promise.reject(new LocalizerError("unavailable", "The helper has ended")));
    const io = fakeIo();
    assert.equal(await daemon.run(io), 1);
    assert.deepEqual(daemon.done, ["start ", "dispose"]);
    assert.match(io.err(), /^localizer: The helper has ended\n/m);
  });

  it("exits with the code of a start that fails", async () => {
    const io = fakeIo();
    const start: StartDaemon = async () => {
      throw new LocalizerError("conflict", "Another localizer serves this cluster");
    };
    assert.equal(await main([], io, commandOf(start)), 7);
    assert.match(io.err(), /Another localizer serves this cluster\n {2}If it is another localizer, "localizer down"/);
  });

  it("returns 0 when it is stopped during its start", async () => {
    const io = fakeIo();
    const start: StartDaemon = async (_options, signal) => {
      io.ask("SIGINT");
      throwIfAborted(signal);
      throw new Error("not reached");
    };
    assert.equal(await main([], io, commandOf(start)), 0);
    assert.equal(io.out(), "");
  });

  for (const [request, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    it(`ends at once on a later second ${request}, not on one that came with the first`, async () => {
      const hand = handClock();
      const disposing = Promise.withResolvers<void>();
      const daemon = fakeDaemon(undefined, () => {
        disposing.resolve();
        return new Promise(() => {});
      });
      const io = fakeIo({}, hand.clock);
      const running = daemon.run(io);
      await daemon.started;
      io.ask(request);
      await disposing.promise;
      hand.step(500);
      io.ask(request);
      assert.deepEqual(io.exits, []);
      hand.step(1);
      io.ask("SIGHUP");
      assert.deepEqual(io.exits, []);
      io.ask(request);
      assert.deepEqual(io.exits, [code]);
      assert.equal(await running, code);
    });
  }

  it("does not wait for an end that takes too long", async () => {
    const hand = handClock();
    const disposing = Promise.withResolvers<void>();
    const daemon = fakeDaemon(Promise.resolve(), () => {
      disposing.resolve();
      return new Promise(() => {});
    });
    const io = fakeIo({}, hand.clock);
    const running = daemon.run(io);
    await disposing.promise;
    hand.fire();
    assert.equal(await running, 6);
    assert.deepEqual(io.exits, [6]);
    assert.match(io.err(), /Cannot stop in order in time/);
  });

  it("refuses a bad setting before anything is started", async () => {
    const daemon = fakeDaemon();
    const io = fakeIo();
    assert.equal(await daemon.run(io, "--ip-cidr", "10.0.0.0/8"), 2);
    assert.deepEqual(daemon.done, []);
  });
});
