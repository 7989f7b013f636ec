/**
 * Hears the caller while no pod can hear him: keeps what he says for the pod that takes him, and notices when he breaks off,
 * which a socket that nobody reads does not tell.
 */
import type { Socket } from "node:net";
import type { SaidSoFar } from "./first-byte.ts";

/** Listens until it is disposed, which leaves the socket paused and nothing unread that is not kept or still in it. */
export class CallerWatch implements Disposable {
  readonly #local: Socket;
  readonly #said: SaidSoFar;
  readonly #stop: AbortController;

  /**
   * While `said` has no room left nothing more is read, so that a caller who says so much and breaks off is not noticed.
   * @param stop aborted when he has broken off. Ending his side in order is not leaving: he may wait for an answer
   */
  constructor(local: Socket, said: SaidSoFar, stop: AbortController) {
    this.#local = local;
    this.#said = said;
    this.#stop = stop;
    if (local.destroyed) this.#leave();
    local.on("data", this.#hear);
    local.on("end", this.#end);
    local.on("error", this.#leave);
    local.on("close", this.#leave);
    if (!said.ended) local.resume();
  }

  [Symbol.dispose](): void {
    this.#local.pause();
    this.#local.off("data", this.#hear);
    this.#local.off("end", this.#end);
    this.#local.off("error", this.#leave);
    this.#local.off("close", this.#leave);
  }

  readonly #hear = (chunk: Buffer): void => {
    if (this.#said.hasRoomFor(chunk)) {
      this.#said.add(chunk);
      return;
    }
    this.#local.pause();
    this.#local.unshift(chunk);
  };

  readonly #end = (): void => {
    this.#said.ended = true;
  };

  readonly #leave = (): void => this.#stop.abort();
}
