/** `expose --foreground` and `expose … -- program`: an exposure as long as something else. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openFakeDaemon } from "../../test/rpc/fake-daemon.ts";
import { endLines, exposedCart, saying, startLines, ToldLines } from "../../test/rpc/fake-exposure.ts";
import { fakeIo } from "../../test/rpc/fake-io.ts";
import { until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import type { StopExposeWish } from "../rpc/exposing.ts";
import type { DaemonState } from "../server/daemon-state.ts";
import type { StopRequest } from "./child.ts";
import { main } from "./main.ts";

/** A program that a test ends. */
class FakeProgram {
  readonly told: StopRequest[] = [];
  readonly end = Promise.withResolvers<number>();
  words: readonly string[] | undefined;
  isStarted = false;

  readonly prepare = async (words: readonly string[]) => {
    this.words = words;
    return async () => {
      this.isStarted = true;
      return { ended: this.end.promise, passOn: (request: StopRequest) => void this.told.push(request) };
    };
  };
}

/** The command, running against a daemon whose starts and ends go well. */
async function staying(argv: readonly string[], state: Partial<DaemonState> = {}) {
  const stops: StopExposeWish[] = [];
  const exposures = { now: [exposedCart] };
  const daemon = await openFakeDaemon({
    expose: () => saying(startLines),
    stopExpose(wish) {
      stops.push(wish);
      return saying(endLines);
    },
    exposures: () => exposures.now,
    ...state,
  });
  const program = new FakeProgram();
  const clock = new FakeClock();
  const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath }, clock, program.prepare);
  const running = main(["expose", "shop/cart", ...argv], io);
  return {
    ...{ daemon, io, clock, program, stops, exposures, running },
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

/** The next look at the list. */
async function look(clock: FakeClock): Promise<void> {
  assert.equal(await clock.asleep(), 5_000);
  await clock.advance(5_000);
}

describe("expose --foreground", () => {
  it("stays until Ctrl-C, then gives back and exits with 0", async () => {
    await using made = await staying(["--foreground", "--no-wait"]);
    const { io } = made;
    await until(() => io.out().includes("Ctrl-C gives it back"));
    io.ask("SIGINT");
    assert.equal(await made.running, 0);
    assert.match(io.out(), /Deployment cart is set to 2 again\nService "shop\/cart" is as it was\n$/);
    assert.deepEqual(made.stops, [{ namespace: "shop", service: "cart", noWait: true }]);
    assert.deepEqual([io.err(), io.listening(), made.clock.pending], ["", 0, 0]);
  });

  it("gives back what was only begun", async () => {
    const told = new ToldLines();
    await using made = await staying(["--foreground"], { expose: () => told });
    told.say(...startLines.slice(0, 1));
    await until(() => made.io.out() !== "");
    made.io.ask("SIGTERM");
    assert.equal(await made.running, 0);
    assert.equal(made.stops.length, 1);
    told.end();
  });

  it("takes for given back what the daemon does not know", async () => {
    const stopExpose = () => saying([], new LocalizerError("not-found", "It is not exposed"));
    await using made = await staying(["--foreground"], { stopExpose });
    await until(() => made.io.out().includes("Ctrl-C"));
    made.io.ask("SIGINT");
    assert.equal(await made.running, 0);
    assert.equal(made.io.err(), "");
  });

  it("leaves giving back to the daemon after a second Ctrl-C", async () => {
    const told = new ToldLines();
    await using made = await staying(["--foreground"], { stopExpose: () => told });
    const { io } = made;
    await until(() => io.out().includes("Ctrl-C"));
    io.ask("SIGINT");
    told.say(...endLines.slice(0, 1));
    await until(() => io.out().includes("is set to 2 again"));
    io.ask("SIGINT");
    assert.equal(await made.running, 1);
    assert.match(io.err(), /^localizer: Left to the daemon, which goes on giving "shop\/cart" back/);
    assert.equal(told.cancelled, false);
    told.end();
  });

  it("says what changes, and exits when somebody else ends it", async () => {
    await using made = await staying(["--foreground"]);
    const { io, clock, exposures } = made;
    await clock.asleep();
    exposures.now = [{ ...exposedCart, state: "reconnecting", reason: "the node does not answer" }];
    await look(clock);
    await clock.asleep();
    exposures.now = [exposedCart];
    await look(clock);
    await clock.asleep();
    assert.match(io.out(), /Service "shop\/cart" is exposed\n$/);
    exposures.now = [];
    await look(clock);
    assert.equal(await made.running, 4);
    assert.match(io.out(), /^Warning: Service "shop\/cart" is reconnecting: the node does not answer$/m);
    assert.equal(io.err(), 'localizer: Service "shop/cart" is not exposed any more: somebody has given it back\n');
    assert.deepEqual([made.stops, io.listening(), clock.pending], [[], 0, 0]);
  });

  it("exits with the code of what it came to", async () => {
    for (const [state, code, sentence] of [
      ["lost", 7, /"shop\/cart" was lost: so it is$/m],
      ["failed", 1, /"shop\/cart" is not exposed any more: so it is$/m],
    ] as const) {
      await using made = await staying(["--foreground"]);
      made.exposures.now = [{ ...exposedCart, state, reason: "so it is" }];
      assert.equal(await made.running, code);
      assert.match(made.io.err(), sentence);
    }
    const { daemon, ...made } = await staying(["--foreground"]);
    await made.clock.asleep();
    await daemon[Symbol.asyncDispose]();
    await look(made.clock);
    assert.equal(await made.running, 3);
  });
});

describe("expose -- PROGRAM", () => {
  it("runs the program when traffic flows, ends with its code and gives back; stdout is the program's", async () => {
    const told = new ToldLines();
    await using made = await staying(["--map", "8080:80", "--", "node", "--watch", "--stop"], { expose: () => told });
    const { io, program } = made;
    told.say(...startLines);
    await until(() => io.err().includes("leads to this machine"));
    assert.equal(program.isStarted, false);
    told.end();
    await until(() => program.isStarted);
    assert.deepEqual(program.words, ["node", "--watch", "--stop"]);
    assert.equal(made.stops.length, 0);
    program.end.resolve(42);
    assert.equal(await made.running, 42);
    assert.equal(made.stops.length, 1);
    assert.equal(io.out(), "");
    assert.match(io.err(), /Service "shop\/cart" is as it was\n$/);
    assert.deepEqual([io.listening(), made.clock.pending], [0, 0]);
  });

  it("passes signals on, and waits for the program's own end", async () => {
    await using made = await staying(["--", "node"]);
    const { io, program } = made;
    await until(() => program.isStarted);
    await made.clock.asleep();
    io.ask("SIGINT");
    io.ask("SIGTERM");
    assert.deepEqual([program.told, made.stops.length], [["SIGINT", "SIGTERM"], 0]);
    program.end.resolve(0);
    assert.equal(await made.running, 0);
    assert.equal(made.stops.length, 1);
  });

  it("does not run it when the start fails or is interrupted", async () => {
    const expose = () => saying([], new LocalizerError("denied", "No right"));
    await using failing = await staying(["--", "node"], { expose });
    assert.equal(await failing.running, 5);
    const told = new ToldLines();
    await using interrupted = await staying(["--", "node"], { expose: () => told });
    told.say(...startLines.slice(0, 1));
    await until(() => interrupted.io.err() !== "");
    interrupted.io.ask("SIGINT");
    assert.equal(await interrupted.running, 0);
    assert.deepEqual([failing.program.isStarted, interrupted.program.isStarted], [false, false]);
    assert.deepEqual([failing.stops.length, interrupted.stops.length], [0, 1]);
    told.end();
  });

  it("goes on with the program when the exposure ends, and then gives nothing back", async () => {
    await using made = await staying(["--", "node"]);
    const { io, program } = made;
    await until(() => program.isStarted);
    await made.clock.asleep();
    made.exposures.now = [];
    await look(made.clock);
    await until(() => io.err().includes('Warning: Service "shop/cart" is not exposed any more'));
    program.end.resolve(3);
    assert.equal(await made.running, 3);
    assert.equal(made.stops.length, 0);
  });

  it("keeps the program's code when giving back fails, unless that is 0", async () => {
    for (const [code, expected] of [
      [9, 9],
      [0, 5],
    ] as const) {
      const stopExpose = () => saying([], new LocalizerError("denied", "No right to scale"));
      await using made = await staying(["--", "node"], { stopExpose });
      made.program.end.resolve(code);
      assert.equal(await made.running, expected);
      assert.match(made.io.err(), /(Error|localizer): No right to scale/);
    }
  });

  it("exposes nothing when there is no such program, or none is named", async () => {
    let asked = 0;
    const expose = () => {
      asked++;
      return saying(startLines);
    };
    await using daemon = await openFakeDaemon({ expose });
    const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath });
    assert.equal(await main(["expose", "shop/cart", "--", "no-such"], io), 4);
    assert.equal(asked, 0);
  });
});
