/**
 * Watches over our block in the hosts file: what somebody else changed or removed is written again, and who does it again and
 * again is not fought: after three times within a minute the guard rests for ten minutes and says so (decision 9).
 * Promises to read the file only when it has changed, and never to judge while a write of our own is under way. Whoever
 * wants to know what else stands there is told whenever it has been read.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { holdsBlock } from "../hostsfile/block.ts";
import { isGeneratedByWsl } from "../hostsfile/foreign.ts";
import type { Logger } from "../log.ts";
import type { HostsEntry } from "../model/hosts-table.ts";

/** What writes the block. */
export interface GuardedHosts {
  /** What stands in the file if nobody has touched it; undefined while that is not certain. */
  readonly written: readonly HostsEntry[] | undefined;
  rewrite(): void;
  /** Writes nothing, whatever changes, until `resume`, which writes once. */
  hold(): void;
  resume(): void;
}

/** The file, as far as the guard looks at it. */
export interface WatchedFile {
  /** Changes when the file does; undefined when there is none. */
  version(): Promise<string | undefined>;
  read(): Promise<Buffer>;
  /** Calls back when something may have changed. */
  watch(changed: () => void): Disposable;
}

/** What the guard works with. */
export interface HostsGuardComponents {
  readonly hosts: GuardedHosts;
  readonly file: WatchedFile;
  /** Told of every text of the file, and of our entries that may stand in it; must not throw. */
  readonly onRead?: (bytes: Buffer, written: readonly HostsEntry[]) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Whose block it is. */
export interface HostsGuardOptions {
  /** For the notice. */
  readonly path: string;
  readonly instance: string;
}

const netMs = 3_000;
/** After a hint that something changed: editors and our own writes need a moment, and several hints become one look. */
const settleMs = 100;
const foughtTimes = 3;
const foughtWithinMs = 60_000;
const restMs = 10 * 60_000;

/** The watch; it begins with `start`. */
export class HostsGuard implements AsyncDisposable {
  readonly #components: HostsGuardComponents;
  readonly #options: HostsGuardOptions;
  readonly #stop = new AbortController();
  /** When the block was last mended, at most as often as it takes to give up. */
  #mended: number[] = [];
  #restsUntil: number | undefined;
  #isWsl = false;
  /** The version of the file that was judged last, the one that was told of last, and the entries known then. */
  #seen: string | undefined;
  #told: string | undefined;
  #written: readonly HostsEntry[] = [];
  #running: Promise<void> | undefined;
  #hint: (() => void) | undefined;
  #watch: Disposable | undefined;

  constructor(components: HostsGuardComponents, options: HostsGuardOptions) {
    this.#components = components;
    this.#options = options;
  }

  /** For the user: who takes our names away, while the guard rests; undefined while all is well. */
  get notice(): string | undefined {
    if (this.#restsUntil === undefined) return undefined;
    const who = this.#isWsl
      ? "WSL, which generates the file (generateHosts=false in /etc/wsl.conf ends that)"
      : "a VPN client, endpoint protection or a DHCP client";
    const sentence = `Another program keeps removing localizer's names from "${this.#options.path}": perhaps ${who}`;
    return `${sentence}. They are not written again for ${restMs / 60_000} minutes, or until localizer is started again`;
  }

  /** Begins, and warns once where the file is one that will be made anew by somebody else. */
  start(): void {
    if (this.#running !== undefined || this.#stop.signal.aborted) return;
    this.#watch = this.#components.file.watch(() => this.#hint?.());
    this.#running = this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#watch?.[Symbol.dispose]();
    this.#hint?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    await this.#attempt(() => this.#warnOfWsl());
    while (!signal.aborted) {
      await this.#attempt(() => this.#look());
      await this.#pause();
    }
  }

  async #attempt(step: () => Promise<void>): Promise<void> {
    try {
      await step();
    } catch (error) {
      // Replaced this very moment, perhaps; if it cannot be read for good, the writer says so.
      this.#components.log.debug("Cannot look at the hosts file", { error: LocalizerError.from(error) });
    }
  }

  async #warnOfWsl(): Promise<void> {
    const { file, log } = this.#components;
    this.#isWsl = isGeneratedByWsl(await file.read());
    if (!this.#isWsl) return;
    log.warn("WSL generates the hosts file anew when it starts; generateHosts=false in /etc/wsl.conf ends that", {
      path: this.#options.path,
    });
  }

  async #look(): Promise<void> {
    const { hosts, file, clock, onRead } = this.#components;
    if (this.#restsUntil !== undefined && clock.monotonic() >= this.#restsUntil) {
      this.#restsUntil = undefined;
      this.#mended = [];
      this.#seen = undefined;
      // It writes, which a later look will judge.
      hosts.resume();
      return;
    }
    const entries = hosts.written;
    this.#written = entries ?? this.#written;
    const version = await file.version();
    if (version === this.#seen || (entries === undefined && version === this.#told)) return;
    const bytes = version === undefined ? Buffer.alloc(0) : await file.read();
    // Changed since the bytes were read: the next look decides.
    if ((await file.version()) !== version) return;
    if (version !== this.#told) onRead?.(bytes, this.#written);
    this.#told = version;
    // A write of our own is under way, or was since.
    if (entries === undefined || hosts.written !== entries) return;
    this.#seen = version;
    // What else stands in the file matters while the guard rests, too.
    if (this.#restsUntil === undefined && !holdsBlock(bytes, this.#options.instance, entries)) this.#mend();
  }

  #mend(): void {
    const { hosts, clock, log } = this.#components;
    const now = clock.monotonic();
    const recent = this.#mended.filter((at) => now - at < foughtWithinMs);
    if (recent.length + 1 >= foughtTimes) {
      this.#restsUntil = now + restMs;
      hosts.hold();
      log.warn("Another program keeps changing localizer's block in the hosts file; it is left alone for a while", {
        notice: this.notice,
      });
      return;
    }
    this.#mended = [...recent, now];
    log.info("Somebody changed localizer's block in the hosts file; writing it again", { path: this.#options.path });
    hosts.rewrite();
  }

  /** Until a hint, or the net. A hint while nobody pauses is not lost: the version tells at the next look. */
  async #pause(): Promise<void> {
    const { clock } = this.#components;
    const hinted = new AbortController();
    this.#hint = () => hinted.abort();
    const woken = AbortSignal.any([hinted.signal, this.#stop.signal]);
    await clock.sleep(netMs, woken).catch(() => {});
    this.#hint = undefined;
    if (hinted.signal.aborted) await clock.sleep(settleMs, this.#stop.signal).catch(() => {});
  }
}
