/** A client that makes a new connection at a steady pace, and what it saw while something was broken. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "./contender.ts";

/** One connection with one byte there and back. Times on the clock of `performance.now`. */
export interface Attempt {
  readonly startedMs: number;
  readonly endedMs: number;
  /** `refused`: there was no connection; `cut`: it ended without an echo; `late`: no echo in time. */
  readonly outcome: "answered" | "refused" | "cut" | "late";
}

/** A client at work. Disposing stops it. */
export interface SteadyEcho extends AsyncDisposable {
  /** Those that are over, in the order of their end. */
  readonly attempts: readonly Attempt[];
  /** Stops and waits for the last one. */
  stop(): Promise<readonly Attempt[]>;
}

/** What came of attempts: those that failed, and the longest time between two that did not. */
export interface Gap {
  readonly refused: number;
  readonly cut: number;
  readonly late: number;
  /** Undefined when none succeeded after `sinceMs`. */
  readonly longestMs: number | undefined;
}

/** Connects every `everyMs`, however long each takes. */
export function startSteadyEcho(
  address: Address,
  { everyMs, timeoutMs }: { readonly everyMs: number; readonly timeoutMs: number },
): SteadyEcho {
  const attempts: Attempt[] = [];
  const open = new Set<Promise<void>>();
  const stopping = new AbortController();
  const run = async () => {
    for (let nextMs = performance.now(); !stopping.signal.aborted; nextMs += everyMs) {
      const attempt = attemptOnce(address, timeoutMs).then((result) => {
        attempts.push(result);
        open.delete(attempt);
      });
      open.add(attempt);
      const waitMs = Math.max(0, nextMs + everyMs - performance.now());
      await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const running = run();
  const stop = async () => {
    stopping.abort();
    await running;
    await Promise.all(open);
    return attempts;
  };
  return {
    attempts,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** Of the attempts that ended after a moment. Pure. */
export function gapSince(attempts: readonly Attempt[], sinceMs: number): Gap {
  const count = (outcome: Attempt["outcome"]) =>
    attempts.filter((one) => one.endedMs >= sinceMs && one.outcome === outcome).length;
  const answeredMs = attempts.filter(({ outcome }) => outcome === "answered").map(({ endedMs }) => endedMs);
  const sorted = answeredMs.toSorted((a, b) => a - b);
  const gaps = sorted.flatMap((endedMs, index) => {
    const before = sorted[index - 1];
    return before === undefined || endedMs < sinceMs ? [] : [endedMs - before];
  });
  const longestMs = gaps.length === 0 ? undefined : Math.max(...gaps);
  return { refused: count("refused"), cut: count("cut"), late: count("late"), longestMs };
}

/** The end of the first success of an attempt that ended after a moment; undefined when there is none. Pure. */
export function firstSuccessAfter(attempts: readonly Attempt[], sinceMs: number): number | undefined {
  const ends = attempts.filter(({ outcome, endedMs }) => outcome === "answered" && endedMs >= sinceMs);
  return ends.length === 0 ? undefined : Math.min(...ends.map(({ endedMs }) => endedMs));
}

function attemptOnce({ host, port }: Address, timeoutMs: number): Promise<Attempt> {
  const { promise, resolve } = Promise.withResolvers<Attempt>();
  const startedMs = performance.now();
  let isConnected = false;
  const end = (outcome: Attempt["outcome"]) => resolve({ startedMs, endedMs: performance.now(), outcome });
  const socket = connect({ host, port, noDelay: true });
  socket.setTimeout(timeoutMs, () => {
    end("late");
    socket.destroy();
  });
  socket.on("connect", () => {
    isConnected = true;
    socket.write("x");
  });
  socket.on("data", () => {
    end("answered");
    socket.destroy();
  });
  socket.on("error", () => {});
  socket.on("close", () => end(isConnected ? "cut" : "refused"));
  return promise;
}
