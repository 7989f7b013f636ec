/** One direction of a joint: bytes as fast as the far end takes them, then the end. Used by splice, and by exposures. */
import type { Duplex } from "node:stream";

/**
 * Carries from one stream to the other, and its end; `count` is told the length of each chunk. Failures and closes of either are
 * the caller's business. Reads at once, so handlers for those must be in place.
 */
export function pump(from: Duplex, to: Duplex, count: (length: number) => void): void {
  from.on("data", (chunk: Buffer) => {
    count(chunk.length);
    if (to.writable && !to.write(chunk)) from.pause();
  });
  to.on("drain", () => from.resume());
  const end = () => {
    if (to.writable) to.end();
  };
  if (from.readableEnded) end();
  else from.once("end", end);
  from.resume();
}
