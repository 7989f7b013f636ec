/** The log of a daemon that was started detached: the user's own, and the one before it kept. */
import { constants, mkdirSync, openSync, renameSync } from "node:fs";
import { join } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/** An open log; the descriptor is the caller's to close. */
export interface LogFile {
  readonly path: string;
  readonly descriptor: number;
}

/**
 * Opens `<stateDir>/localizer.log` anew, mode 0600, and keeps the one before as `localizer.log.1`. A folder that is made is 0700.
 * @throws LocalizerError `denied` when this user may not write there, `conflict` when another start was quicker
 */
export function openLogFile(stateDir: string): LogFile {
  const path = join(stateDir, "localizer.log");
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    keepPrevious(path);
    return { path, descriptor: openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) };
  } catch (error) {
    throw LocalizerError.wrap(error, `Cannot open the log "${path}"`, codeFor(errnoOf(error)));
  }
}

function keepPrevious(path: string): void {
  try {
    renameSync(path, `${path}.1`);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

function codeFor(errno: string | undefined) {
  switch (errno) {
    case "EEXIST":
      return "conflict";
    case "EACCES":
    case "EPERM":
    case "EROFS":
      return "denied";
    default:
      return "unavailable";
  }
}
