/** What to try next, for each kind of failure. Only here, because only the command line knows what the user can type. */
import type { ErrorCode } from "../errors.ts";

/** One sentence for the user, or none where the error says all. `command` is empty for the daemon itself. */
export function hintFor(code: ErrorCode, command: string): string | undefined {
  const isDaemon = command === "";
  switch (code) {
    case "usage":
      return `Run "localizer ${isDaemon ? "help" : `${command} --help`}" to see what there is`;
    case "no-daemon":
      return "If it listens elsewhere, name its socket with --socket";
    case "denied":
      return isDaemon ? undefined : "Call it as the user who started the daemon";
    case "unauthenticated":
      return 'Log in to the cluster again, then see whether "kubectl version" works';
    case "conflict":
      return isDaemon ? 'If it is another localizer, "localizer down" stops it' : undefined;
    case "timeout":
    case "unavailable":
      return isDaemon ? 'See whether "kubectl version" reaches the cluster' : "See the daemon's log for the reason";
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
