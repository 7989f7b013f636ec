/** What to try next, for each kind of failure. Only here, because only the command line knows what the user can type. */
import type { ErrorCode } from "../errors.ts";

/** Commands that ask a running daemon and do nothing else. */
const questions: ReadonlySet<string> = new Set(["list", "ping", "stats", "metrics", "down"]);
/** Those that speak to the cluster, or start what does. */
const starters: ReadonlySet<string> = new Set(["", "up", "restore"]);

/** One sentence for the user, or none where the error says all. `command` is empty for the daemon itself. */
export function hintFor(code: ErrorCode, command: string): string | undefined {
  switch (code) {
    case "usage": {
      const words = command === "" || command === "help" ? "help" : `${command} --help`;
      return `Run "localizer ${words}" to see what there is`;
    }
    case "no-daemon":
      return "If it listens elsewhere, name its socket with --socket";
    case "denied":
      return questions.has(command) ? "Call it as the user who started the daemon" : undefined;
    case "unauthenticated":
      return 'Log in to the cluster again, then see whether "kubectl version" works';
    case "conflict":
      return command === "" ? 'If it is another localizer, "localizer down" stops it' : undefined;
    case "timeout":
      // The sentences of these two name the cause, or the log.
      if (command === "wait" || command === "up") return undefined;
      return hintForSilence(command);
    case "unavailable":
      return hintForSilence(command);
    case "internal":
      return "With --log-level debug it says more";
    case "not-found":
    case "gone":
    case "refused":
    case "expired":
    case "aborted":
      return undefined;
    default:
      return code satisfies never;
  }
}

function hintForSilence(command: string): string {
  return starters.has(command)
    ? 'See whether "kubectl version" reaches the cluster'
    : "See the daemon's log for the reason";
}
