/** The helper's channel within one process: what is sent is turned into JSON and back, and handles are passed as they are. */
import type { Server } from "node:net";
import { LocalizerError } from "../../src/errors.ts";
import type { Channel } from "../../src/helper/channel.ts";

/** Two ends; closing one closes both. */
export function channelPair(): readonly [Channel, Channel] {
  const a = new End();
  const b = new End();
  a.peer = b;
  b.peer = a;
  return [a, b];
}

class End implements Channel {
  peer: End | undefined;
  #isClosed = false;
  readonly #early: [unknown, unknown][] = [];
  #receive: ((message: unknown, handle: unknown) => void) | undefined;
  #closed: (() => void) | undefined;

  async send(message: object, server?: Server): Promise<void> {
    if (this.#isClosed) throw new LocalizerError("unavailable", "closed");
    const copy: unknown = JSON.parse(JSON.stringify(message));
    const { peer } = this;
    if (peer !== undefined) setImmediate(() => peer.#take(copy, server));
  }

  onMessage(receive: (message: unknown, handle: unknown) => void): void {
    this.#receive = receive;
    for (const [message, handle] of this.#early.splice(0)) receive(message, handle);
  }

  onClose(closed: () => void): void {
    this.#closed = closed;
    if (this.#isClosed) queueMicrotask(closed);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { peer } = this;
    // After the messages that are on their way.
    setImmediate(() => {
      this.#closed?.();
      peer?.close();
    });
  }

  #take(message: unknown, handle: unknown): void {
    if (this.#isClosed) return;
    if (this.#receive === undefined) this.#early.push([message, handle]);
    else this.#receive(message, handle);
  }
}
