/** The process of a daemon that `up` has started, as its command sees it. */
import type { CliIo } from "./io.ts";

/**
 * Only TERM asks such a daemon to stop: Ctrl-C and the terminal's end are meant for others. What it prints ends its start, and with
 * that it has no more questions for the terminal: `leaveTerminal` is called.
 */
export function detachedIo(io: CliIo, leaveTerminal: () => void): CliIo {
  return {
    ...io,
    stdout(text) {
      io.stdout(text);
      leaveTerminal();
    },
    onStop: (listener) =>
      io.onStop((request) => {
        if (request === "SIGTERM") listener(request);
      }),
  };
}
