/** What the daemon asks of root, and nothing else: the shape that client.ts has through a channel and unprivileged.ts without root. */
import type { Clock } from "../clock.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import type { LoopbackAddress } from "../model/loopback.ts";
import type { Listen } from "../net/listen.ts";

/** The place where listeners are made and the machine's files are written. Disposing it undoes both. */
export interface Helper extends AsyncDisposable {
  /** The process that binds, and the user it runs as (0 for root). */
  readonly identity: { readonly pid: number; readonly uid: number };
  /** What it removed at its start, because dead ones had left it: a few words each. */
  readonly removed: readonly string[];
  /** Binds as root and hands the listener over. Throws as `listenHere` does. */
  readonly listen: Listen;
  /**
   * Makes this the whole table; an empty one removes the block.
   * @throws LocalizerError `conflict` when another program rewrites the file all the time, or another localizer holds the block
   */
  writeHosts(entries: readonly HostsEntry[]): Promise<void>;
  /**
   * Says that nothing will listen on the address any more: where it had to be added to the machine (macOS) it is removed.
   * @throws LocalizerError `unavailable` when the system refuses
   */
  release(address: LoopbackAddress): Promise<void>;
  /** A folder that only this user can enter, for the real socket. */
  prepareRuntimeDir(): Promise<string>;
  /**
   * Makes the well-known socket path a link to `target`.
   * @throws LocalizerError `conflict` when something that is not a left-over link stands there, `denied` for a bad target
   */
  linkSocket(target: string): Promise<void>;
  /** False once it was disposed and did not answer that it has taken everything back. */
  readonly tidied: boolean;
  /** Fires when the helper ended or broke its protocol; not when it was disposed. */
  readonly gone: AbortSignal;
}

/** How to talk to a helper. */
export interface ConnectOptions {
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
  /** The environment that may name the session's runtime folder. */
  readonly env?: NodeJS.ProcessEnv;
  /** Waits for what carried the helper (its process) after the channel is closed. */
  readonly settled?: () => Promise<void>;
  /** Hears that the helper did not answer that it has taken everything back; what is left the next start mends. */
  readonly untidied?: () => void;
  /** Lets go of it when it did not end in time. */
  readonly abandon?: () => void;
}
