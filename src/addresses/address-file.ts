/**
 * Keeps over a restart which owners were moved away from the address that their hash asks for. One file for each
 * cluster and range, so that daemons of different clusters never write the same one. Nothing about it is fatal: what
 * cannot be read is set aside, what cannot be written is tried again, and the log says so.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../clock.ts";
import { errnoOf, LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { formatLoopbackRange, type LoopbackRange } from "../model/loopback.ts";
import { AddressMemory } from "./address-memory.ts";
import { formatMovedAddresses, type MovedAddressesOf, parseMovedAddresses } from "./moved-addresses.ts";

/** What an address file works with. */
export interface AddressFileComponents {
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where the file is and for whom. */
export interface AddressFileOptions {
  /** The user's own folder; made, closed to others, when something has to be written. */
  readonly folder: string;
  /** As the address book has it. */
  readonly clusterUrl: string;
  readonly range: LoopbackRange;
}

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
/** Changes of so long a time are written together. */
const gatherMs = 100;
/** After a write that failed. */
const retryMs = 30_000;
/** Many times what 10,000 entries take. */
const maxBytes = 16 * 1024 * 1024;

/** The memory and its way to the disk. Disposing writes what is not written yet. */
export class AddressFile implements AsyncDisposable {
  readonly path: string;
  readonly memory: AddressMemory;
  readonly #about: MovedAddressesOf;
  readonly #components: AddressFileComponents;
  readonly #subscription: Disposable;
  #dirty = false;
  #hasWarned = false;
  #timer: Disposable | undefined;
  #writing: Promise<void> | undefined;

  private constructor(
    components: AddressFileComponents,
    { path, about, memory }: { path: string; about: MovedAddressesOf; memory: AddressMemory },
  ) {
    this.path = path;
    this.memory = memory;
    this.#about = about;
    this.#components = components;
    this.#subscription = memory.onChange(() => {
      this.#dirty = true;
      this.#writeAfter(gatherMs);
    });
  }

  /** Reads what is remembered; never throws for what the disk holds or refuses. */
  static async open(components: AddressFileComponents, options: AddressFileOptions): Promise<AddressFile> {
    const about = { clusterUrl: options.clusterUrl, range: formatLoopbackRange(options.range) };
    const path = join(options.folder, `addresses-${digestOf(about)}.json`);
    const memory = await memoryOf(path, about, components.log);
    return new AddressFile(components, { path, about, memory });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#subscription[Symbol.dispose]();
    // Its end may set a timer, so the timer goes after it.
    await this.#writing;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    if (this.#dirty) await this.#write();
    this.#dirty = false;
  }

  #writeAfter(ms: number): void {
    if (this.#timer !== undefined || this.#writing !== undefined) return;
    this.#timer = this.#components.clock.after(ms, () => {
      this.#timer = undefined;
      this.#writing = this.#write().then((isWritten) => {
        this.#writing = undefined;
        if (this.#dirty) this.#writeAfter(isWritten ? gatherMs : retryMs);
      });
    });
  }

  /** Never rejects. */
  async #write(): Promise<boolean> {
    this.#dirty = false;
    try {
      await replaceFile(this.path, formatMovedAddresses(this.#about, this.memory.entries));
      this.#hasWarned = false;
      return true;
    } catch (error) {
      this.#dirty = true;
      const facts = { path: this.path, error: LocalizerError.from(error) };
      if (!this.#hasWarned) this.#components.log.warn("Cannot remember addresses for the next start", facts);
      this.#hasWarned = true;
      return false;
    }
  }
}

async function memoryOf(path: string, about: MovedAddressesOf, log: Logger): Promise<AddressMemory> {
  try {
    return new AddressMemory(parseMovedAddresses(await readWhole(path), about));
  } catch (error) {
    const errno = errnoOf(error);
    if (errno !== "ENOENT") {
      const aside = `${path}.set-aside`;
      const facts = { path, error: LocalizerError.from(error) };
      await rename(path, aside).then(
        () => log.warn("Cannot use remembered addresses; the file is set aside", { ...facts, aside }),
        () => log.warn("Cannot use remembered addresses", facts),
      );
    }
    return new AddressMemory();
  }
}

async function readWhole(path: string): Promise<string> {
  // Neither a link to somebody else's file nor a pipe that never ends.
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw new LocalizerError("usage", "It is no regular file");
    if (facts.size > maxBytes) throw new LocalizerError("usage", `It has ${facts.size} bytes`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

/** The old text or the new one, whenever the power goes. */
async function replaceFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  const temporary = `${path}.new`;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // A killed daemon's; two of one cluster and user do not run at once.
  await rm(temporary, { force: true });
  try {
    const file = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, O_RDONLY | O_DIRECTORY);
    await handle.sync().finally(() => handle.close());
  } catch {
    // Some file systems cannot sync a folder; the new file is in place all the same.
  }
}

function digestOf({ clusterUrl, range }: MovedAddressesOf): string {
  return createHash("sha256").update(`${clusterUrl}\n${range}`).digest("hex").slice(0, 16);
}
