/** The end of a root program that an error reached which nobody caught: raw bytes on the channel make Node itself throw. */
import { LocalizerError } from "../errors.ts";
import type { Say } from "./places.ts";

/** Says such errors instead of ending the process, and fires with the first, so that whoever listens can tidy up and end. */
export function abortedByCrash(say: Say): AbortSignal {
  const crash = new AbortController();
  process.on("uncaughtException", (error) => {
    // One is told: a hostile side can send as many bad lines as it likes.
    if (crash.signal.aborted) return;
    say(`Cannot go on: ${LocalizerError.from(error).message}`);
    crash.abort(error);
  });
  return crash.signal;
}
