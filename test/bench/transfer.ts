/** Many bytes on one connection. */
import { once } from "node:events";
import { connect } from "node:net";
import { waitFor } from "../cluster/wait.ts";
import type { Address } from "./contender.ts";

const block = Buffer.alloc(64 * 1024);
const transferTimeoutMs = 180_000;

/**
 * Sends so many bytes and waits until `arrived` says that they are there: what a tool or the cluster still holds does not
 * count. Returns the seconds; throws when the connection fails or it takes over 3 min.
 */
export async function upload(
  { host, port }: Address,
  bytes: number,
  { arrived, signal: outer }: { readonly arrived: () => boolean; readonly signal: AbortSignal },
): Promise<number> {
  const over = new AbortController();
  const signal = AbortSignal.any([outer, over.signal, AbortSignal.timeout(transferTimeoutMs)]);
  const startedMs = performance.now();
  const socket = connect({ host, port, noDelay: true });
  const broken = Promise.withResolvers<never>();
  broken.promise.catch(() => {}); // Looked at by the race below only.
  socket.on("error", broken.reject);
  socket.on("close", () => broken.reject(new Error("The connection was closed during the upload")));
  socket.resume();
  const send = async () => {
    for (let sent = 0; sent < bytes; sent += block.length) {
      if (!socket.write(block.subarray(0, bytes - sent))) await once(socket, "drain", { signal });
    }
    await waitFor("the upload to arrive", arrived, { timeoutMs: transferTimeoutMs, intervalMs: 2, signal });
    return (performance.now() - startedMs) / 1000;
  };
  try {
    return await Promise.race([send(), broken.promise]);
  } finally {
    over.abort();
    socket.destroy();
  }
}

/** Takes so many bytes and hangs up. Returns the seconds; throws when the connection ends before or it takes over 3 min. */
export function download({ host, port }: Address, bytes: number, outer: AbortSignal): Promise<number> {
  const signal = AbortSignal.any([outer, AbortSignal.timeout(transferTimeoutMs)]);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const startedMs = performance.now();
  const socket = connect({ host, port, noDelay: true, signal });
  let left = bytes;
  socket.on("data", (chunk: Buffer) => {
    left -= chunk.length;
    if (left > 0) return;
    resolve((performance.now() - startedMs) / 1000);
    socket.destroy();
  });
  socket.on("error", reject);
  socket.on("close", () => reject(new Error(`The connection was closed with ${left} bytes to come`)));
  return promise;
}

/** Takes what comes for so long, and hangs up. Returns MB/s; throws when the connection ends before. */
export function downloadFor({ host, port }: Address, forMs: number, signal: AbortSignal): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const startedMs = performance.now();
  const socket = connect({ host, port, noDelay: true, signal });
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  const timer = setTimeout(() => {
    resolve(bytes / 1000 / (performance.now() - startedMs));
    socket.destroy();
  }, forMs);
  socket.on("error", reject);
  socket.on("close", () => {
    clearTimeout(timer);
    reject(new Error("The connection was closed during the download"));
  });
  return promise;
}
