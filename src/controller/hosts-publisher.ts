/**
 * Brings the whole table of names to the hosts file: the first change after a quiet time at once, later ones
 * together, and again until it worked. One write at a time.
 */
import { backoffMs } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import type { OwnerKey } from "../model/service-key.ts";

/** Between two writes lies at least this. */
const quietMs = 250;

/** What a publisher works with. */
export interface HostsPublisherComponents {
  /** Writes the whole table in place of the one before. */
  readonly write: (entries: readonly HostsEntry[]) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The table and its way to the file. Nothing is written before `start`. */
export class HostsPublisher implements AsyncDisposable {
  readonly #components: HostsPublisherComponents;
  readonly #table = new Map<OwnerKey, HostsEntry>();
  readonly #stop = new AbortController();
  readonly #attempted = Promise.withResolvers<void>();
  #revision = 0;
  #isHeld = false;
  #written = 0;
  #error: LocalizerError | undefined;
  #inFile: readonly HostsEntry[] | undefined;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(components: HostsPublisherComponents) {
    this.#components = components;
  }

  /** True when the file holds the table, or there is nothing to hold. Never while writing is held. */
  get settled(): boolean {
    return this.#running !== undefined && this.#written === this.#revision && !this.#isHeld;
  }

  /** What the last write brought to the file; undefined while one is under way, and after one that failed. */
  get written(): readonly HostsEntry[] | undefined {
    return this.#inFile;
  }

  /** Why the last write failed, if it did. */
  get error(): LocalizerError | undefined {
    return this.#error;
  }

  /** Puts the line of a service, or of a pod, into the table, or takes it out. */
  set(owner: OwnerKey, entry: HostsEntry | undefined): void {
    if (sameEntry(this.#table.get(owner), entry)) return;
    if (entry === undefined) this.#table.delete(owner);
    else this.#table.set(owner, entry);
    this.#revision++;
    this.#wake?.();
  }

  /** Writes the table once more, as if it had changed. Nothing before `start`. */
  rewrite(): void {
    this.#revision++;
    this.#wake?.();
  }

  /** Writes nothing until `resume`; changes gather. A write that is under way ends. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Ends `hold`, and writes the table once, changed or not. */
  resume(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.rewrite();
  }

  /** Starts to write; before it, changes only gather. Resolves when what has gathered was written, or could not be (`error`). */
  async start(): Promise<void> {
    this.#running ??= this.#run();
    await this.#attempted.promise;
  }

  /** Ends the writing. The table's removal is the owner's affair: the helper does it when it ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#components;
    const { signal } = this.#stop;
    let failures = 0;
    while (!signal.aborted) {
      if (this.#isHeld || this.#written === this.#revision) {
        this.#attempted.resolve();
        await this.#changed();
        continue;
      }
      failures = (await this.#writeOnce()) ? 0 : failures + 1;
      this.#attempted.resolve();
      if (failures > 0) log.warn("Cannot write the hosts file", { attempt: failures, error: this.#error });
      const waitMs = failures === 0 ? quietMs : backoffMs(failures, { baseMs: quietMs, factor: 2, capMs: 30_000 });
      // Aborting the wait is the end of the loop, and no failure.
      await clock.sleep(waitMs, signal).catch(() => {});
    }
    this.#attempted.resolve();
  }

  async #writeOnce(): Promise<boolean> {
    const revision = this.#revision;
    const entries = [...this.#table.values()].sort(byAddress);
    this.#inFile = undefined;
    try {
      await this.#components.write(entries);
      this.#written = revision;
      this.#inFile = entries;
      this.#error = undefined;
      return true;
    } catch (error) {
      this.#error = LocalizerError.from(error);
      return false;
    }
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }
}

function sameEntry(a: HostsEntry | undefined, b: HostsEntry | undefined): boolean {
  return a?.address === b?.address && a?.names.join(" ") === b?.names.join(" ");
}

function byAddress(a: HostsEntry, b: HostsEntry): number {
  return a.address < b.address ? -1 : a.address > b.address ? 1 : 0;
}
