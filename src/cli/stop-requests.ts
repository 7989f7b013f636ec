/** Ctrl-C and its like, for a command that holds something: who of start, program and giving back hears it. Used by stay-exposed. */
import type { Child, StopRequest } from "./child.ts";

/** Takes every request; the first goes to whoever there is by then. */
export class StopRequests {
  readonly #once = new AbortController();
  #child: Child | undefined;
  #early: StopRequest[] = [];
  #listener: (() => void) | undefined;

  /** Fires with the first that no program hears. */
  get once(): AbortSignal {
    return this.#once.signal;
  }

  /** The first that no program has heard, if there was one. */
  get first(): StopRequest | undefined {
    return this.#early[0];
  }

  /** Somebody asks. */
  hear(request: StopRequest): void {
    if (this.#child !== undefined) this.#child.passOn(request);
    else if (this.#listener !== undefined) this.#listener();
    else {
      this.#early.push(request);
      this.#once.abort();
    }
  }

  /** From now on the program hears them; undefined: it does not any more. */
  sendTo(child: Child | undefined): void {
    this.#child = child;
    // The terminal told it nothing: there was no program yet.
    for (const request of this.#early.splice(0)) child?.passOn(request === "SIGINT" ? "SIGTERM" : request);
  }

  /** Fires with the next one. */
  next(): AbortSignal {
    const next = new AbortController();
    this.#listener = () => next.abort();
    return next.signal;
  }
}
