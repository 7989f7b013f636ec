/**
 * What the helper remembers over its own death, in a folder that only root can write: one backup of the hosts file from
 * before its first change ever, and a record of each running helper, by which the next start tidies up after a killed one.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, readdir, readFile, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";
import { systemHostsFs } from "../hostsfile/hosts-file.ts";
import { resolveDirectory } from "../hostsfile/trusted-path.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { broken, knownFieldsOf, natural, optionalText, text } from "./fields.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import type { SocketLink } from "./socket-link.ts";

/** What one helper has made, or is about to. */
export interface HelperRecord {
  readonly owner: ProcessIdentity;
  readonly hostsFile: string;
  readonly link?: SocketLink;
  /** Addresses that were added to the loopback interface. */
  readonly aliases?: readonly string[];
}

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;

/** The folder with backup and records. */
export class HelperState {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes the folder if need be. @throws LocalizerError `denied` when others than root can write there */
  static async open(directory: string, asRoot: boolean): Promise<HelperState> {
    try {
      // Looked at before anything is made: root must not make folders where somebody else's link leads.
      const parent = await resolveDirectory(dirname(directory), systemHostsFs, asRoot);
      const path = join(parent, basename(directory));
      await mkdir(path, { mode: 0o755 }).catch((error: unknown) => {
        if (errnoOf(error) !== "EEXIST") throw error;
      });
      return new HelperState(await resolveDirectory(path, systemHostsFs, asRoot));
    } catch (error) {
      throw LocalizerError.wrap(error, `Cannot use state folder "${directory}"`, "denied");
    }
  }

  /** Keeps the bytes as the backup of that file, unless there is one already. */
  async backUp(path: string, bytes: Buffer): Promise<void> {
    const digest = createHash("sha256").update(path).digest("hex").slice(0, 8);
    const backup = join(this.#directory, `${basename(path)}-${digest}.backup`);
    const isThere = await readFile(backup).then(
      () => true,
      () => false,
    );
    if (!isThere) await this.#writeWhole(backup, bytes);
  }

  /** Says what this process makes, in place of what it said before. */
  async record(record: HelperRecord): Promise<void> {
    await this.#writeWhole(this.#recordPath(record.owner.pid), Buffer.from(JSON.stringify(record)));
  }

  /** Forgets what the process with this pid made. */
  async forget(pid: number): Promise<void> {
    await unlink(this.#recordPath(pid)).catch(() => {});
  }

  /**
   * What helpers said, this one and others, dead or alive. What a newer one says beside is left out; a record that says too
   * little is left where it is, and a file that is no JSON is renamed, to be no record any more.
   */
  async records(): Promise<readonly HelperRecord[]> {
    const records: HelperRecord[] = [];
    for (const name of await readdir(this.#directory)) {
      if (!/^helper-\d+\.json$/.test(name)) continue;
      const path = join(this.#directory, name);
      const bytes = await readFile(path, "utf8").catch(() => undefined);
      if (bytes === undefined) continue;
      const value = parseJson(bytes);
      if (value === undefined) {
        await rename(path, `${path}.unreadable`).catch(() => {});
        continue;
      }
      try {
        records.push(parseRecord(value));
      } catch {
        // Its own localizer will know what to do with it.
      }
    }
    return records;
  }

  #recordPath(pid: number): string {
    return join(this.#directory, `helper-${pid}.json`);
  }

  async #writeWhole(path: string, bytes: Buffer): Promise<void> {
    const temporary = `${path}.${process.pid}`;
    await unlink(temporary).catch(() => {});
    const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  }
}

/** Undefined, which JSON cannot say, when it is none. */
function parseJson(bytes: string): unknown {
  try {
    return JSON.parse(bytes);
  } catch {
    return undefined;
  }
}

function parseRecord(value: unknown): HelperRecord {
  const fields = knownFieldsOf(value, ["owner", "hostsFile"], ["link", "aliases"]);
  const owner = knownFieldsOf(fields.owner, ["pid", "startTime", "bootId"], ["pidNamespace"]);
  return {
    owner: {
      pid: natural(owner, "pid"),
      startTime: text(owner, "startTime"),
      bootId: text(owner, "bootId"),
      ...optionalText(owner, "pidNamespace"),
    },
    hostsFile: text(fields, "hostsFile"),
    ...(fields.link === undefined ? {} : { link: parseLink(fields.link) }),
    ...(fields.aliases === undefined ? {} : { aliases: parseAliases(fields.aliases) }),
  };
}

function parseAliases(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw broken("a record with bad aliases");
  return value.map((address: unknown) => text({ address }, "address")).filter(isLoopbackAddress);
}

function parseLink(value: unknown): SocketLink {
  const fields = knownFieldsOf(value, ["path", "target"]);
  return { path: text(fields, "path"), target: text(fields, "target") };
}
