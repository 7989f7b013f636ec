/**
 * Gives memory back when nothing happens: V8 collects as it allocates, and what a burst has left stays until the next
 * one. With 1,000 services it is some 30 MiB (`npm run bench -- --only many`).
 */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "../clock.ts";

/** What a process can say and do about its memory. */
export interface ProcessMemory {
  /** CPU time used so far, in µs. */
  readonly cpuMicroseconds: () => number;
  /** Collects all there is, and gives it back to the system; blocks for some 10 to 70 ms. */
  readonly collect: () => void;
  /** What is in use or was since the last collection. */
  readonly heapBytes: () => number;
  /** Collects, but drops no code; blocks for some 50 to 100 ms where `heapBytes` is large. */
  readonly sweep: () => void;
  /** Collects what is young alone; blocks for a fraction of a millisecond. */
  readonly sweepYoung: () => void;
}

const lookEveryMs = 10_000;
/** CPU of one interval above which it was no rest, and there is something to collect. */
const busyMicroseconds = 100_000;
/** So many quiet intervals make a rest: who works in bursts shall not pay for a collection, and for compiling anew, after each. */
const restIntervals = 3;

/** Below it V8's own collections are short enough. */
const largeHeapBytes = 40 * 2 ** 20;

/**
 * To be called when the start is over: collects what a start with thousands of services has left, which V8 would do with the
 * next list that comes, beside connections. Not when there are some already, as `isQuiet` says.
 */
export function collectAfterStart(memory: Pick<ProcessMemory, "heapBytes" | "sweep">, isQuiet: () => boolean): void {
  if (memory.heapBytes() > largeHeapBytes && isQuiet()) memory.sweep();
}

/**
 * Collects once, half a minute after each busy stretch, the start among them, as soon as nobody would notice:
 * `isQuiet` says whether no connection is open, for a collection holds up every one. Disposing ends it.
 */
export function collectWhenIdle(
  clock: Pick<Clock, "after">,
  memory: Pick<ProcessMemory, "cpuMicroseconds" | "collect">,
  isQuiet: () => boolean,
): Disposable {
  let before = memory.cpuMicroseconds();
  let isDirty = true;
  let quiet = 0;
  const look = () => {
    const now = memory.cpuMicroseconds();
    const isBusy = now - before > busyMicroseconds;
    isDirty ||= isBusy;
    quiet = isBusy ? 0 : quiet + 1;
    if (isDirty && quiet >= restIntervals && isQuiet()) {
      isDirty = false;
      memory.collect();
    }
    // After the collection: it is no work of the daemon's.
    before = memory.cpuMicroseconds();
    timer = clock.after(lookEveryMs, look);
  };
  let timer = clock.after(lookEveryMs, look);
  return { [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/**
 * V8's settings. The young space stays at 1 MiB instead of growing to 16 MiB in a burst and until the next collection at rest. It is collected, and the buffers of what was
 * read are freed, by the one thread that works: handing that to others costs more than it takes (a fifth to a third of the CPU of a
 * bulk transfer and of a short connection).
 */
const v8Flags = [
  "--semi-space-growth-factor=1",
  "--no-parallel-scavenge",
  "--no-concurrent-array-buffer-sweeping",
  "--expose-gc",
] as const;

/** This process's; also sets V8 up for a program that mostly rests. */
export function v8Memory(): ProcessMemory {
  for (const flag of v8Flags) setFlagsFromString(flag);
  // V8's own function (extensions/gc-extension); the flavour drops compiled code that is not in use, too.
  const collect: unknown = runInNewContext("gc");
  return {
    cpuMicroseconds: () => process.cpuUsage().user,
    collect() {
      if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
    },
    heapBytes: () => getHeapStatistics().used_heap_size,
    sweep() {
      if (typeof collect === "function") collect({ type: "major", execution: "sync" });
    },
    sweepYoung() {
      if (typeof collect === "function") collect({ type: "minor", execution: "sync" });
    },
  };
}
