/**
 * What happens to the stream pairs of one connection: frames come in for them, their local sides send, end and leave. Says
 * of the connection when it may not be used any more (`condemn`) and when something has changed. Used by spdy-connection.
 */
import type { Clock } from "../clock.ts";
import type { ConnectionHealth } from "./connection-health.ts";
import type { FrameReceiver } from "./frame-receiver.ts";
import type { FrameSender } from "./frame-sender.ts";
import type { StreamCarrier } from "./pod-stream.ts";
import type { StreamPair, StreamPairs } from "./stream-pairs.ts";

/** What the pod may still say after the local side has gone, a goodbye for instance; more is a download nobody wants. */
const maxWastedBytes = 64 * 1024;

/** The connection that they are on. */
export interface PairsOwner {
  readonly clock: Clock;
  readonly pairs: StreamPairs;
  readonly sender: Pick<FrameSender, "data" | "finAndPings" | "forget">;
  readonly receiver: Pick<FrameReceiver, "pause" | "resume" | "wasPausedSince">;
  readonly health: Pick<ConnectionHealth, "prove" | "sent" | "withdrawn">;
  readonly isClosed: () => boolean;
  /** No new streams on it. */
  readonly condemn: (reason: string) => void;
  /** A pair has gone on; the connection may be of no more use. */
  readonly changed: () => void;
}

/** Made by SpdyConnection, which passes the frames on to it. */
export class PairTraffic {
  readonly #owner: PairsOwner;

  constructor(owner: PairsOwner) {
    this.#owner = owner;
  }

  /** What the pair's stream needs of the connection. */
  carrier(pair: StreamPair): StreamCarrier {
    const { errorId } = pair;
    const { health, pairs, receiver, sender } = this.#owner;
    return {
      sendData: (_id, chunks, callback) => {
        health.sent(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
        sender.data(pair, chunks, callback);
      },
      sendFin: () => this.#sendFin(pair),
      finished: () => {
        if (pair.phase === "open") this.#prove(pair, false);
      },
      halfClosed: () => {
        pairs.halfClose(pair);
        this.#owner.changed();
      },
      get isAlone() {
        return pairs.live <= 1;
      },
      wasPausedSince: (timeMs) => receiver.wasPausedSince(timeMs),
      pause: () => receiver.pause(errorId),
      resume: () => void receiver.resume(errorId),
      leave: () => this.#leave(pair),
    };
  }

  onData(id: number, bytes: Buffer): void {
    const pair = this.#owner.pairs.get(id);
    if (pair === undefined) return;
    pair.isAccepted = true;
    if (id === pair.errorId) {
      pair.isBroken = true;
      if (pair.stream === undefined) this.#owner.condemn("a stream on it failed");
      else pair.stream.feedError(bytes);
    } else if (pair.stream !== undefined) {
      pair.stream.feedData(bytes);
    } else {
      pair.wastedBytes += bytes.length;
      if (pair.wastedBytes <= maxWastedBytes) return;
      // Whatever it was sent last, it does not listen: not worth waiting for.
      pair.phase = "lingering";
      this.#owner.condemn("a download was broken off");
    }
  }

  onFin(id: number): void {
    const pair = this.#owner.pairs.get(id);
    if (pair === undefined) return;
    pair.isAccepted = true;
    if (id === pair.dataId) pair.dataEnded = true;
    else pair.errorEnded = true;
    const isOver = pair.dataEnded && pair.errorEnded;
    // Before its stream ends and leaves: it shall find nothing more to be said to the pod.
    if (isOver) this.#end(pair);
    if (id === pair.dataId) pair.stream?.endData();
    else pair.stream?.endError();
    if (!isOver) return;
    if (pair.isBroken) this.#owner.condemn("a stream on it failed");
    this.#owner.changed();
  }

  onReply(id: number): void {
    const pair = this.#owner.pairs.get(id);
    if (pair?.dataId !== id) return;
    pair.isAccepted = true;
    pair.stream?.replied();
  }

  onReset(id: number, status: number): void {
    const { pairs, condemn } = this.#owner;
    const pair = pairs.get(id);
    if (pair === undefined) return;
    pair.isBroken = true;
    pairs.remove(pair);
    pair.stream?.reset(status);
    condemn("a stream on it was reset");
  }

  /** Nothing more is expected of the pair: its local side learns why, and its connection takes no new streams. */
  breakOff(pair: StreamPair, why: string): void {
    pair.isBroken = true;
    pair.stream?.fail("unavailable", why);
  }

  #sendFin(pair: StreamPair): void {
    const { isClosed, sender } = this.#owner;
    if (pair.finSent || pair.dataEnded || isClosed()) return;
    pair.finSent = true;
    if (pair.phase === "open") this.#prove(pair, true);
    else sender.finAndPings(pair, true, []);
  }

  /** Pings behind the last byte of the pair, in one write with the FIN if it is due. */
  #prove(pair: StreamPair, fin: boolean): void {
    const { changed, health, pairs } = this.#owner;
    pairs.close(pair);
    health.prove(pair, fin, () => {
      pair.phase = "lingering";
      changed();
    });
  }

  /** The local side has gone. */
  #leave(pair: StreamPair): void {
    const { changed, clock, condemn, health, isClosed, pairs, receiver, sender } = this.#owner;
    const isBehind = receiver.resume(pair.errorId);
    pairs.detach(pair, clock.monotonic());
    if (isClosed() || pairs.get(pair.dataId) === undefined) return;
    if (sender.forget(pair)) {
      // The runtime never heard of it.
      health.withdrawn();
      pairs.remove(pair);
    } else if (pair.isBroken) {
      pairs.remove(pair);
      condemn("a stream on it failed");
    } else if (isBehind && !pair.dataEnded) {
      // Alone it is closed; beside others only a FIN stops the pod.
      if (pairs.live > 0) this.#sendFin(pair);
      condemn("a download was broken off");
    } else if (!pair.dataEnded) {
      this.#sendFin(pair);
    } else if (pair.phase === "open") {
      this.#prove(pair, false);
    }
    changed();
  }

  /** Both streams have ended. What was sent until then may still block a worker: that the pings show. */
  #end(pair: StreamPair): void {
    if (pair.phase === "open" && !pair.isBroken) this.#prove(pair, false);
    this.#owner.pairs.remove(pair);
  }
}
