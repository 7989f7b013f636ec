/**
 * A session's signs of life, from its Lease's making to its end: also while it starts, while a pod is made anew, and while its end
 * waits for the workload. Promises that one renewal runs at a time, that one that fails is tried again soon, and that it is told at
 * once when the Lease is not the session's own any more.
 */
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import { withTimeout } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { SessionRecord } from "./records.ts";
import { type LeaseComponents, renewLease, type SeenLease } from "./session-lease.ts";

/** What it is made from. */
export interface HeartbeatComponents extends LeaseComponents {
  /** In [0, 1); Math.random unless given. */
  readonly random?: () => number;
}

/** A renewal out of turn. */
export interface BeatOptions {
  readonly signal: AbortSignal;
  /** Is written with it. */
  readonly record?: SessionRecord;
  /** Do nothing if there was a sign of life not long ago. */
  readonly ifDue?: boolean;
}

const retry: BackoffOptions = { baseMs: 250, factor: 2, capMs: 5_000 };
/** A renewal that hangs must not hold up the next one for long. */
const minTryMs = 1_000;

/** Renews a Lease from its making to its disposal. */
export class Heartbeat implements AsyncDisposable {
  readonly #components: HeartbeatComponents;
  readonly #everyMs: number;
  readonly #stop = new AbortController();
  readonly #lost = new AbortController();
  #lease: SeenLease;
  #renewedMs: number;
  #failures = 0;
  #timer: Disposable | undefined;
  /** The renewals so far, one after the other; never rejects. */
  #turn: Promise<void> = Promise.resolve();

  /** @param lease just made, or just renewed */
  constructor(components: HeartbeatComponents, lease: SeenLease, { everyMs }: { readonly everyMs: number }) {
    this.#components = components;
    this.#everyMs = everyMs;
    this.#lease = lease;
    this.#renewedMs = components.clock.monotonic();
    this.#plan(everyMs);
  }

  /** Fires with `gone` or `conflict` when the Lease was deleted, or belongs to somebody else. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Whether it was disposed. */
  get isOver(): boolean {
    return this.#stop.signal.aborted;
  }

  /** As it was last written. */
  get lease(): SeenLease {
    return this.#lease;
  }

  /** Until the next sign of life is due. */
  get restMs(): number {
    return Math.max(0, this.#everyMs - (this.#components.clock.monotonic() - this.#renewedMs));
  }

  /**
   * Looks who holds the Lease and renews it, after whatever renewal is under way.
   * @throws LocalizerError `gone` or `conflict` when it is not the session's any more; `timeout`; `aborted`; else as the API
   */
  async beat(options: BeatOptions): Promise<void> {
    const mine = this.#turn.then(() => this.#renew(options));
    this.#turn = mine.catch(() => {});
    await mine;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new LocalizerError("aborted", "Stopped"));
    this.#timer?.[Symbol.dispose]();
    await this.#turn;
  }

  async #renew({ signal: caller, record, ifDue = false }: BeatOptions): Promise<void> {
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason;
    if (ifDue && this.restMs > 0) return;
    const { clock } = this.#components;
    const limits = {
      action: `Cannot renew the Lease "${this.#lease.ref.name}"`,
      timeoutMs: Math.max(minTryMs, this.#everyMs),
      signal: AbortSignal.any([caller, this.#stop.signal]),
    };
    try {
      const written = record === undefined ? {} : { record };
      this.#lease = await withTimeout(clock, limits, (signal) =>
        renewLease(this.#components, this.#lease, { signal, ...written }),
      );
      this.#renewedMs = clock.monotonic();
    } catch (error) {
      if (codeOf(error) === "gone" || codeOf(error) === "conflict") this.#lost.abort(error);
      throw error;
    }
  }

  #plan(ms: number): void {
    if (this.#stop.signal.aborted || this.#lost.signal.aborted) return;
    this.#timer = this.#components.clock.after(ms, () => void this.#onTime());
  }

  /** Never rejects. */
  async #onTime(): Promise<void> {
    try {
      await this.beat({ signal: this.#stop.signal, ifDue: true });
      this.#failures = 0;
      this.#plan(Math.max(1, this.restMs));
    } catch {
      // What is lost is told by the signal; all else may pass.
      this.#plan(backoffMs(this.#failures++, retry, this.#components.random ?? Math.random));
    }
  }
}

/**
 * Runs a session's end with signs of life, begun anew if an earlier end has ended them. They end with it, also when it fails: what
 * could not be put back here may then be put back by anybody. Throws as `run`.
 */
export async function whileBeating(
  components: HeartbeatComponents,
  holdings: { heartbeat?: Heartbeat },
  everyMs: number,
  run: () => Promise<void>,
): Promise<void> {
  const { heartbeat: before } = holdings;
  if (before?.isOver === true) holdings.heartbeat = new Heartbeat(components, before.lease, { everyMs });
  try {
    await run();
  } finally {
    await holdings.heartbeat?.[Symbol.asyncDispose]();
  }
}
