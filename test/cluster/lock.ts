/**
 * Keeps two programs from starting or stopping the same cluster at once. The lock is a socket
 * in the kernel's own name space: it goes away with the process that holds it, however that ends.
 */
import { once } from "node:events";
import { connect, createServer, type Server } from "node:net";
import type { ClusterLayout } from "./layout.ts";

/** Waits for the cluster's lock and takes it. Dispose to let the next one have it. */
export async function lockCluster(
  layout: ClusterLayout,
  { log, signal }: { readonly log: (line: string) => void; readonly signal?: AbortSignal | undefined },
): Promise<AsyncDisposable> {
  const address = `\0localizer-testcluster-${layout.slot}`;
  let told = false;
  for (;;) {
    signal?.throwIfAborted();
    const lock = await tryLock(address);
    if (lock !== undefined) return lock;
    if (!told) log("Waiting for another program that starts or stops the test cluster");
    told = true;
    await holderGone(address, signal);
  }
}

/** Undefined when somebody else has it. */
async function tryLock(address: string): Promise<AsyncDisposable | undefined> {
  // Connections are those who wait: they are let go with the lock.
  const waiting = new Set<{ destroy(): void }>();
  const server: Server = createServer((connection) => {
    waiting.add(connection);
    connection.on("error", () => {});
    connection.on("close", () => waiting.delete(connection));
  });
  try {
    server.listen(address);
    await once(server, "listening");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EADDRINUSE") return undefined;
    throw error;
  }
  return {
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      for (const connection of waiting) connection.destroy();
      await closed;
    },
  };
}

/** Resolves when the holder has gone or the signal is aborted. */
async function holderGone(address: string, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const { promise, resolve } = Promise.withResolvers<void>();
  const connection = connect(address);
  const aborted = () => connection.destroy();
  signal?.addEventListener("abort", aborted);
  connection.on("error", () => {}); // Refused or reset: the holder has gone, and "close" follows.
  connection.on("close", () => resolve());
  connection.resume();
  await promise;
  signal?.removeEventListener("abort", aborted);
}
