/**
 * Notices a caller that has broken off while nobody read what he says, because his pod reads nothing: Node tells nothing of a
 * paused socket, and the connection would stay, and his pod's with it, until the pod reads again. One a port.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { IsReset } from "../net/local-end.ts";

/** Between looks; who was read from since the last is not stuck. */
const lookEveryMs = 5_000;

interface Caller {
  readonly stop: AbortController;
  bytesRead: number;
}

/** Neither a timer nor a map while there are no connections. */
export class StuckCallers {
  readonly #clock: Clock;
  readonly #isReset: IsReset;
  #callers: Map<Socket, Caller> | undefined;
  #timer: Disposable | undefined;

  constructor(clock: Clock, isReset: IsReset) {
    this.#clock = clock;
    this.#isReset = isReset;
  }

  /** Watches the connection until it is disposed; aborts `stop` when the caller has broken off. */
  watch(local: Socket, stop: AbortController): Disposable {
    this.#callers ??= new Map();
    this.#callers.set(local, { stop, bytesRead: -1 });
    this.#timer ??= this.#clock.after(lookEveryMs, () => this.#look());
    return {
      [Symbol.dispose]: () => {
        this.#callers?.delete(local);
        if (this.#callers === undefined || this.#callers.size > 0) return;
        this.#callers = undefined;
        this.#timer?.[Symbol.dispose]();
        this.#timer = undefined;
      },
    };
  }

  #look(): void {
    this.#timer = this.#clock.after(lookEveryMs, () => this.#look());
    for (const [local, caller] of this.#callers ?? []) {
      const isStuck = local.isPaused() && local.bytesRead === caller.bytesRead && !local.readableEnded;
      caller.bytesRead = local.bytesRead;
      if (isStuck) void this.#ask(local, caller.stop);
    }
  }

  async #ask(local: Socket, stop: AbortController): Promise<void> {
    if ((await this.#isReset(local)) && this.#callers?.has(local)) stop.abort();
  }
}
