/** New connections that each send one byte and wait for it to come back. */
import { connect } from "node:net";
import type { Address } from "./contender.ts";

const echoTimeoutMs = 10_000;

/** What came of many connections. */
export interface EchoOutcome {
  /** Of those that worked, in milliseconds from connect() to the echoed byte. */
  readonly latenciesMs: readonly number[];
  readonly failed: number;
  readonly firstError: Error | undefined;
  /** From the first connect() to the last end. */
  readonly elapsedMs: number;
}

/** Connects, sends a byte, waits for it and closes. Returns the milliseconds; throws when it does not come in time: 10 s. */
export function echoOnce({ host, port }: Address, timeoutMs = echoTimeoutMs): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const startedMs = performance.now();
  const socket = connect({ host, port, noDelay: true });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`No echo after ${timeoutMs / 1000} s`)));
  socket.on("connect", () => socket.write("x"));
  socket.on("data", () => {
    resolve(performance.now() - startedMs);
    socket.destroy();
  });
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("The connection was closed without an echo")));
  return promise;
}

/** One echo of each address, `workers` at the same time. Stops early only when the signal is aborted, and then throws. */
export async function echoAll(
  addresses: readonly Address[],
  { workers, signal }: { readonly workers: number; readonly signal: AbortSignal },
): Promise<EchoOutcome> {
  const startedMs = performance.now();
  const latenciesMs: number[] = [];
  let failed = 0;
  let firstError: Error | undefined;
  const queue = addresses.values();
  const work = async () => {
    for (const address of queue) {
      signal.throwIfAborted();
      try {
        latenciesMs.push(await echoOnce(address));
      } catch (error) {
        failed++;
        firstError ??= error instanceof Error ? error : new Error(String(error));
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return { latenciesMs, failed, firstError, elapsedMs: performance.now() - startedMs };
}

/**
 * Connections that failed are no basis for a figure about those that worked.
 * @throws Error when there are any, with the first one's reason
 */
export function demandAll({ latenciesMs, failed, firstError }: EchoOutcome): void {
  if (failed === 0) return;
  const sentence = `${failed} of ${failed + latenciesMs.length} connections failed: ${firstError?.message}`;
  throw new Error(sentence, { cause: firstError });
}
