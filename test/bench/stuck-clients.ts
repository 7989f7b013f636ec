/** Connections on which nothing moves any more: filled until every buffer on the way is full. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "./contender.ts";

const block = Buffer.alloc(64 * 1024);
const stillMs = 1_500;
const lookMs = 100;
const connectTimeoutMs = 10_000;

/** Disposing resets the connections. */
export interface StuckClients extends AsyncDisposable {
  /** What all buffers on the way have swallowed. */
  readonly megabytes: number;
  /** How many of them nobody has cut. */
  living(): number;
}

/**
 * Opens connections and writes as fast as they take it, without ever reading: against a sink that never reads, or an echo that
 * stops reading because nobody takes its answers. Resolves when nothing has moved on any for 1.5 s.
 */
export async function openStuckClients(address: Address, count: number, signal: AbortSignal): Promise<StuckClients> {
  await using all = new AsyncDisposableStack();
  const sockets = Array.from({ length: count }, () =>
    all.adopt(connect(address), (socket) => void socket.resetAndDestroy()),
  );
  let sent = 0;
  for (const socket of sockets) {
    // Not read, so that the far side gets stuck; one that is cut is no failure of ours.
    socket.on("error", () => {});
    void fill(socket, (bytes) => {
      sent += bytes;
    });
  }
  const connected = sockets.map((socket) => once(socket, "connect", { signal: AbortSignal.timeout(connectTimeoutMs) }));
  await Promise.all(connected);
  for (let last = -1, sinceMs = performance.now(); performance.now() - sinceMs < stillMs; ) {
    if (sent !== last) [last, sinceMs] = [sent, performance.now()];
    await sleep(lookMs, undefined, { signal });
  }
  const works = all.move();
  const living = () => sockets.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded).length;
  return { megabytes: sent / 1e6, living, [Symbol.asyncDispose]: () => works.disposeAsync() };
}

async function fill(socket: Socket, count: (bytes: number) => void): Promise<void> {
  try {
    for (;;) {
      const isFull = !socket.write(block, (error) => error == null && count(block.length));
      if (isFull) await once(socket, "drain");
    }
  } catch {
    // Cut by whoever it was, or by us at the end.
  }
}
