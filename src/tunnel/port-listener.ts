/**
 * One port's listener: open while a pod is ready and for 5 s after, then closed until one is ready again, so that
 * callers are refused at once. Promises that there is never more than one, whatever is asked for while it opens or closes, and
 * that one which had to move to another number moves on when somebody needs that one.
 */
import { LocalizerError } from "../errors.ts";
import type { Port } from "../model/port.ts";
import type { ListenAddress, Listener } from "../net/listen.ts";
import type { TunnelComponents, TunnelPortState } from "./tunnel-components.ts";

/** Without a ready pod for so long it is closed. */
const patienceMs = 5_000;

/** After it could not be reopened. The owner may call `setReady` earlier. */
const reopenMs = 5_000;

/** What an address is to listen on. */
export interface WantedPorts {
  /** Its numbers, now. */
  readonly wanted: ReadonlySet<Port>;
}

/** Disposing it closes it for good; connections that came in through it stay. */
export class PortListener implements AsyncDisposable {
  readonly #components: Pick<TunnelComponents, "clock" | "log">;
  readonly #at: ListenAddress;
  readonly #listen: (signal: AbortSignal) => Promise<Listener>;
  readonly #neighbours: WantedPorts;
  #isStopped = false;
  /** Ends what is being opened. There is none at rest: with its maps it takes 600 bytes. */
  #opening: AbortController | undefined;
  #turn: Promise<void>;
  #listener: Listener | undefined;
  #bindError: LocalizerError | undefined;
  #isReady = false;
  #isRefusing = false;
  #hasRefused = false;
  #closing: Disposable | undefined;
  #reopening: Disposable | undefined;

  /**
   * @param options.after what must be over before it is opened: an earlier listener of the same port, say. Must not reject.
   * @param options.neighbours a number that is not its own is left to another port that wants it
   */
  constructor(
    components: Pick<TunnelComponents, "clock" | "log">,
    at: ListenAddress,
    options: {
      readonly listen: (signal: AbortSignal) => Promise<Listener>;
      readonly after: Promise<void> | undefined;
      readonly neighbours: WantedPorts;
    },
  ) {
    this.#components = components;
    this.#at = at;
    this.#listen = options.listen;
    this.#neighbours = options.neighbours;
    this.#turn = options.after ?? Promise.resolve();
  }

  get state(): TunnelPortState {
    if (this.#isRefusing) return "refusing";
    if (this.#bindError !== undefined) return "failed";
    return this.#isReady && this.#listener !== undefined ? "listening" : "waiting";
  }

  /** Where it listens; undefined when it does not. */
  get at(): ListenAddress | undefined {
    return this.#listener?.at;
  }

  get bindError(): LocalizerError | undefined {
    return this.#bindError;
  }

  /**
   * Says whether a pod is ready; resolves when the listener is as that demands.
   * @throws LocalizerError as `Listen` does, `aborted` when the signal fired or it was disposed
   */
  async setReady(isReady: boolean, signal?: AbortSignal): Promise<void> {
    this.#isReady = isReady;
    if (isReady) {
      this.#isRefusing = false;
      this.#closing?.[Symbol.dispose]();
      this.#closing = undefined;
    } else if (!this.#isRefusing && !this.#isStopped) {
      this.#closing ??= this.#components.clock.after(patienceMs, () => this.#refuse());
    }
    await this.#converge(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    this.#opening?.abort();
    this.#closing?.[Symbol.dispose]();
    await this.#turn;
    this.#reopening?.[Symbol.dispose]();
    await this.#close();
  }

  #refuse(): void {
    this.#closing = undefined;
    this.#isRefusing = true;
    this.#hasRefused = true;
    // Closing does not fail.
    void this.#converge().catch(() => {});
  }

  /** One at a time, and each looks anew at what is wanted: a listener that flaps is never bound twice. */
  #converge(signal?: AbortSignal): Promise<void> {
    const done = this.#turn.then(async () => {
      if (this.#isStopped) throw new LocalizerError("aborted", "Stopped");
      this.#reopening?.[Symbol.dispose]();
      if (this.#isRefusing) {
        this.#bindError = undefined;
        await this.#close();
        return;
      }
      const number = this.#listener?.at.port ?? this.#at.port;
      if (number !== this.#at.port && this.#neighbours.wanted.has(number)) await this.#close();
      if (this.#listener === undefined) await this.#open(signal);
    });
    this.#turn = done.catch(() => {});
    return done;
  }

  async #open(signal: AbortSignal | undefined): Promise<void> {
    this.#opening = new AbortController();
    const stop = this.#opening.signal;
    try {
      this.#listener = await this.#listen(signal === undefined ? stop : AbortSignal.any([signal, stop]));
      this.#bindError = undefined;
    } catch (thrown) {
      const error = LocalizerError.from(thrown);
      if (error.code === "aborted") throw error;
      this.#bindError = error;
      if (this.#hasRefused) this.#reopening = this.#components.clock.after(reopenMs, () => this.#reopen());
      throw error;
    } finally {
      this.#opening = undefined;
    }
  }

  #reopen(): void {
    const { log } = this.#components;
    this.#converge().catch((error: unknown) => log.debug("Cannot listen again", { at: this.#at, error }));
  }

  async #close(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    await listener?.[Symbol.asyncDispose]();
  }
}
