/** How the parts of the program know that the daemon was started by `up`. */

/**
 * Set in a daemon that was started by `up`: Ctrl-C and the terminal's end are not its affair. Its value says where the log is
 * and where it goes, see `DetachedLog`.
 */
export const detachedVariable = "_LOCALIZER_DETACHED";

/** Where a starting daemon's log lies, and where it is to lie once the start has succeeded. */
export interface DetachedLog {
  readonly draft: string;
  readonly path: string;
}

/** The variable's value. Pure. */
export function formatDetachedLog({ draft, path }: DetachedLog): string {
  return JSON.stringify([draft, path]);
}

/** Reads the variable's value; undefined when it says nothing that can be understood. Pure. */
export function parseDetachedLog(text: string | undefined): DetachedLog | undefined {
  try {
    const parsed: unknown = JSON.parse(text ?? "");
    const [draft, path]: unknown[] = Array.isArray(parsed) ? parsed : [];
    return typeof draft === "string" && typeof path === "string" ? { draft, path } : undefined;
  } catch {
    return undefined;
  }
}
