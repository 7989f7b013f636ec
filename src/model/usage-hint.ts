/** What to try when a command line is refused. Here because bin refuses some before the command line's room is loaded. */

/** One sentence for the user; `command` is empty for the daemon itself. Pure. */
export function usageHint(command: string): string {
  return `Run "localizer ${command === "" ? "help" : `${command} --help`}" to see what there is`;
}
