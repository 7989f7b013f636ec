/**
 * The sessions of this machine on its own disk: one file each, written before anything is changed in the cluster, so that the
 * next start can put back what a killed daemon has left. Promises that a file is whole or not there, also after a power cut. A home
 * folder may be shared by machines.
 */
import { randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, systemClock } from "../clock.ts";
import { errnoOf, LocalizerError } from "../errors.ts";
import { at, textAt } from "../kube/json.ts";
import { JoinedEndings } from "./joined-endings.ts";
import { formatRecord, isSession, parseRecord, type SessionRecord } from "./records.ts";

/** Says which process writes, in a form that a later one can judge. */
export interface ProcessWitness {
  /** This process, as JSON. */
  readonly self: unknown;
  /** Whether what another `self` said still runs; true when that cannot be known. */
  isRunning(writer: unknown): Promise<boolean>;
  /** Whether it was a process of another machine, of which nothing is known here. Absent: the folder is this machine's alone. */
  readonly isElsewhere?: (writer: unknown) => Promise<boolean>;
}

/** A session as the journal has it. */
export interface JournalEntry {
  readonly record: SessionRecord;
  /** The API server's URL. */
  readonly server: string;
  /** The writer's `ProcessWitness.self`. */
  readonly writer: unknown;
  /** Its writer is of another machine with the same folder, and may live. */
  readonly isElsewhere: boolean;
}

const draftSuffix = ".new";
/** A draft that is older is nobody's: writing takes milliseconds, but a disk may be slow. */
const draftMs = 60_000;

/** Sessions by file. All methods throw LocalizerError `denied`, `unavailable` or `internal` when the disk says no. */
export class Journal {
  /** Of its sessions, in this process. */
  readonly endings = new JoinedEndings();
  readonly #folder: string;
  readonly #witness: ProcessWitness;
  readonly #clock: Pick<Clock, "now">;

  /** @param folder the user's own; made when it is needed */
  constructor(folder: string, witness: ProcessWitness, clock: Pick<Clock, "now"> = systemClock) {
    this.#folder = folder;
    this.#witness = witness;
    this.#clock = clock;
  }

  /** Writes the session; when this resolves it is on the disk. */
  async write(server: string, record: SessionRecord): Promise<void> {
    const path = this.#path(record.session);
    const text = JSON.stringify({ server, writer: this.#witness.self, record: formatRecord(record) });
    const draft = `${path}.${randomUUID()}${draftSuffix}`;
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 });
      await writeSynced(draft, `${text}\n`);
      await rename(draft, path);
      await syncFolder(this.#folder);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw failed(error, `Cannot write the journal of exposures in "${this.#folder}"`);
    }
  }

  /** Forgets the session. One that is not there is fine. */
  async remove(session: string): Promise<void> {
    try {
      await rm(this.#path(session), { force: true });
      await syncFolder(this.#folder);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return;
      throw failed(error, `Cannot remove a session from the journal in "${this.#folder}"`);
    }
  }

  /**
   * The sessions of that server whose writers are dead, or of another machine. Files that cannot be read are told to `onUnreadable`, and stay. Drafts
   * of writers that were killed go: what they were to say had not begun.
   */
  async dead(server: string, onUnreadable: (path: string, why: unknown) => void): Promise<readonly JournalEntry[]> {
    const found: JournalEntry[] = [];
    await this.#sweep();
    for (const name of await this.#files(".json")) {
      const path = join(this.#folder, name);
      try {
        const entry = parseEntry(await readFile(path, "utf8"));
        if (entry.server !== server) continue;
        const isElsewhere = (await this.#witness.isElsewhere?.(entry.writer)) === true;
        // Pids of another machine say nothing here.
        if (isElsewhere || !(await this.#witness.isRunning(entry.writer))) found.push({ ...entry, isElsewhere });
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") onUnreadable(path, error);
      }
    }
    return found;
  }

  /** A draft that cannot be removed is in nobody's way. */
  async #sweep(): Promise<void> {
    for (const name of await this.#files(draftSuffix)) {
      const path = join(this.#folder, name);
      try {
        const { mtimeMs } = await stat(path);
        if (this.#clock.now() - mtimeMs > draftMs) await rm(path, { force: true });
      } catch {
        // Somebody else has just removed it, or written it to its end.
      }
    }
  }

  async #files(ending: string): Promise<readonly string[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => name.endsWith(ending)).sort();
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return [];
      throw failed(error, `Cannot read the journal of exposures in "${this.#folder}"`);
    }
  }

  #path(session: string): string {
    // It names a file: nothing but a UUID may.
    if (!isSession(session)) throw new LocalizerError("internal", `Cannot journal "${session}": it is no session`);
    return join(this.#folder, `${session}.json`);
  }
}

function parseEntry(text: string): Omit<JournalEntry, "isElsewhere"> {
  const value: unknown = JSON.parse(text);
  const server = textAt(value, "server");
  if (server === undefined) throw new LocalizerError("usage", "Cannot read a journal's file: it names no server");
  return { record: parseRecord(textAt(value, "record") ?? ""), server, writer: at(value, "writer") };
}

async function writeSynced(path: string, text: string): Promise<void> {
  await using file = await open(path, "wx", 0o600);
  await file.writeFile(text);
  await file.sync();
}

/** Else a rename may not outlive a power cut (fsync(2)). */
async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, "r");
  await folder.sync();
}

function failed(error: unknown, action: string): LocalizerError {
  const errno = errnoOf(error);
  return LocalizerError.wrap(error, action, errno === "EACCES" || errno === "EPERM" ? "denied" : "unavailable");
}
