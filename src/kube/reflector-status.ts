/** How a reflector fares, for its owner and for the log. */
import type { LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { apiStatusOf } from "./api-status.ts";

/**
 * How a reflector fares. `syncing`: before the first list; `watching`: all is well; `retrying`: the last try failed,
 * another follows; `denied`: as that, but the server said that we lack the right (`lastError` is `denied`), or does not
 * know us (`unauthenticated`).
 */
export interface ReflectorStatus {
  readonly state: "syncing" | "watching" | "retrying" | "denied";
  /** Why, while it is not `watching`. */
  readonly lastError?: LocalizerError;
}

/** A failure among others, and what follows. */
export interface FailedTry {
  /** So many in a row, with this one. */
  readonly failures: number;
  /** Before the next try. */
  readonly waitMs: number;
}

/** A server that is busy for so many tries, or wants to be left alone for so long, is trouble. */
const busyTries = 3;
const busyMs = 30_000;

/** Keeps the status, tells the listeners about its changes, and logs what is worth it. */
export class StatusBoard {
  readonly #what: string;
  readonly #log: Logger;
  readonly #listeners = new Set<(status: ReflectorStatus) => void>();
  #status: ReflectorStatus = { state: "syncing" };

  /** @param what is followed, for the log */
  constructor(what: string, log: Logger) {
    this.#what = what;
    this.#log = log;
  }

  get status(): ReflectorStatus {
    return this.#status;
  }

  /** Tells the listener about every change. Disposing ends it. */
  onStatus(listener: (status: ReflectorStatus) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** A watch was accepted. */
  watching(): void {
    this.#set({ state: "watching" });
  }

  /** A try has failed. A server that is busy for a moment and a forgotten version are everyday matters: no state worth showing. */
  failed(error: LocalizerError, { failures, waitMs }: FailedTry): void {
    const fields = { what: this.#what, error, failures };
    const isBusy = apiStatusOf(error)?.httpStatus === 429 && failures < busyTries && waitMs < busyMs;
    const expected = error.code === "expired" || isBusy;
    const denied = error.code === "denied" || error.code === "unauthenticated";
    // What a denial means is for the owner to say, who is told by the status.
    if (expected || denied || this.#status.state === "retrying" || this.#status.state === "denied") {
      this.#log.debug("Watch failed, trying again", fields);
    } else {
      this.#log.warn("Watch failed, trying again", fields);
    }
    if (!expected) this.#set({ state: denied ? "denied" : "retrying", lastError: error });
  }

  #set(status: ReflectorStatus): void {
    const before = this.#status;
    this.#status = status;
    if (before.state === status.state && before.lastError === status.lastError) return;
    if (status.state === "watching" && before.state !== "syncing")
      this.#log.info("Watching again", { what: this.#what });
    for (const listener of [...this.#listeners]) listener(status);
  }
}
