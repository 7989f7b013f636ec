/**
 * The log of a daemon that was started detached: the user's own. Until its start has succeeded it is a draft beside the log, so
 * that a start that is refused takes nothing from the daemon that runs. Used by detached-daemon.ts and by bin in the daemon.
 */
import { constants, lstatSync, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";
import { hostsInstance } from "./config.ts";

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/** Nobody starts for so long; whoever wrote a draft that old was killed. */
const oldDraftMs = 24 * 3_600_000;

/** An open draft; the descriptor is the caller's to close. */
export interface LogFile {
  /** Where the log lies once the start has succeeded. */
  readonly path: string;
  /** Where it lies until then. Nobody else writes there. */
  readonly draft: string;
  readonly descriptor: number;
}

/** The log's name: each socket's daemon has one of its own, the default one's is `localizer.log`. Pure. */
export function logName(socketLink: string): string {
  const instance = hostsInstance(socketLink);
  return instance === "default" ? "localizer.log" : `localizer-${instance}.log`;
}

/**
 * Opens a new draft of a log in the folder, mode 0600. A folder that is made is 0700. Drafts that were forgotten are removed.
 * @throws LocalizerError `denied` when this user may not write there, `conflict` when this process has one open already
 */
export function openLogDraft(stateDir: string, name: string): LogFile {
  const path = join(stateDir, name);
  const draft = `${path}.starting-${process.pid}`;
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    removeOldDrafts(path);
    // Of an earlier process with this pid.
    rmSync(draft, { force: true });
    return { path, draft, descriptor: openSync(draft, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600) };
  } catch (error) {
    throw LocalizerError.wrap(error, `Cannot open the log "${path}"`, codeFor(errnoOf(error)));
  }
}

/** Makes the draft the log, and keeps the one before as `<log>.1`. One that cannot be moved stays where it is. */
export function keepLog({ path, draft }: Pick<LogFile, "path" | "draft">): void {
  // Nothing takes the place of a log that would be moved away.
  if (lstatSync(draft, { throwIfNoEntry: false }) === undefined) return;
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) renameSync(path, `${path}.1`);
    renameSync(draft, path);
  } catch {
    // The daemon runs, and its words are where they were; that is no reason to end it.
  }
}

function removeOldDrafts(path: string): void {
  for (const name of readdirSync(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.starting-`)) continue;
    const left = join(dirname(path), name);
    const facts = statSync(left, { throwIfNoEntry: false });
    if (facts !== undefined && Date.now() - facts.mtimeMs > oldDraftMs) rmSync(left, { force: true });
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
