/** `localizer expose` that stays, against a daemon without a cluster, with a program that the test ends. */
import assert from "node:assert/strict";
import type { StopRequest } from "../../src/cli/child.ts";
import type { CliIo } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";
import type { ExposeWish, StopExposeWish } from "../../src/rpc/exposing.ts";
import type { DaemonState } from "../../src/server/daemon-state.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { openFakeDaemon } from "./fake-daemon.ts";
import { endLines, exposedCart, saying, startLines } from "./fake-exposure.ts";
import { fakeIo } from "./fake-io.ts";

/** A program that a test ends. */
export class FakeProgram {
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
export async function staying(
  argv: readonly string[],
  state: Partial<DaemonState> = {},
  prepare?: CliIo["prepareChild"],
) {
  const wishes: ExposeWish[] = [];
  const stops: StopExposeWish[] = [];
  const exposures = { now: [exposedCart] };
  const daemon = await openFakeDaemon({
    expose(wish) {
      wishes.push(wish);
      return saying(startLines);
    },
    stopExpose(wish) {
      stops.push(wish);
      return saying(endLines);
    },
    exposures: () => exposures.now,
    ...state,
  });
  const program = new FakeProgram();
  const clock = new FakeClock();
  const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath }, clock, prepare ?? program.prepare);
  const running = main(["expose", "shop/cart", ...argv], io);
  return {
    ...{ daemon, io, clock, program, wishes, stops, exposures, running },
    [Symbol.asyncDispose]: () => daemon[Symbol.asyncDispose](),
  };
}

/** The next look at the list. */
export async function look(clock: FakeClock): Promise<void> {
  assert.equal(await clock.asleep(), 5_000);
  await clock.advance(5_000);
}
