/**
 * Gives memory back when nothing happens: V8 collects as it allocates, and what a burst has left stays until the next
 * one. With 1,000 services it is some 30 MiB (`npm run bench -- --only many`).
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "../clock.ts";

/** What a process can say and do about its memory. */
export interface ProcessMemory {
  /** CPU time used so far, in µs. */
  readonly cpuMicroseconds: () => number;
  /** Collects all there is, and gives it back to the system; blocks for some 10 to 70 ms. */
  readonly collect: () => void;
}

const lookEveryMs = 2_000;
/** CPU of one interval above which it was no rest, and there is something to collect. */
const busyMicroseconds = 100_000;

/**
 * Collects once, after the first quiet interval behind each busy one, the start among them, as soon as nobody would notice:
 * `isQuiet` says whether no connection is open, for a collection holds up every one. Disposing ends it.
 */
export function collectWhenIdle(
  clock: Pick<Clock, "after">,
  memory: ProcessMemory,
  isQuiet: () => boolean,
): Disposable {
  let before = memory.cpuMicroseconds();
  let isDirty = true;
  const look = () => {
    const now = memory.cpuMicroseconds();
    if (now - before > busyMicroseconds) isDirty = true;
    else if (isDirty && isQuiet()) {
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

/** This process's; also keeps V8's young space at 1 MiB instead of growing it to 16 MiB and never back. */
export function v8Memory(): ProcessMemory {
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--expose-gc");
  // V8's own function (extensions/gc-extension); the flavour drops compiled code that is not in use, too.
  const collect: unknown = runInNewContext("gc");
  return {
    cpuMicroseconds: () => process.cpuUsage().user,
    collect() {
      if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
    },
  };
}
