/**
 * Frees the buffers of bytes that pass through, a few MiB at a time. V8 counts objects, not what hangs on them: by itself it
 * collects after some 64 MiB of buffers, and then all of the heap, while each of these buffers was new memory for the kernel to
 * clear. Freed early they are had again at once, and are still in the processor's cache.
 */
import type { ProcessMemory } from "./idle-collection.ts";

/**
 * A byte through SSH is allocated some four times: as it is read, as a packet, as ciphertext, and joined with others. Collecting
 * more often costs more than it saves.
 */
const everyBytes = 4 * 2 ** 20;

/** Gives what is to be told of bytes that have passed: it collects after each so many. */
export function collectAsBytesPass(memory: Pick<ProcessMemory, "sweepYoung">): (bytes: number) => void {
  let passed = 0;
  return (bytes) => {
    passed += bytes;
    if (passed < everyBytes) return;
    passed = 0;
    memory.sweepYoung();
  };
}
