/** Shows what another process writes into a file, as it comes. */
import { type FileHandle, open } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";

const pollMs = 50;

/**
 * Hands on what the file holds and what is added to it, until `signal` fires; then what is left, once more. Bytes, not lines: a
 * question that waits for its answer on the same line must be seen.
 */
export async function followLog(
  path: string,
  show: (text: string) => void,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const file = await open(path, "r");
  const decoder = new TextDecoder();
  try {
    while (!signal.aborted) {
      await showNew(file, decoder, show);
      await clock.sleep(pollMs, signal).catch((error: unknown) => {
        if (codeOf(error) !== "aborted") throw error;
      });
    }
    await showNew(file, decoder, show);
  } finally {
    await file.close();
  }
}

async function showNew(file: FileHandle, decoder: TextDecoder, show: (text: string) => void): Promise<void> {
  const buffer = Buffer.alloc(64 * 1024);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length);
    if (bytesRead === 0) return;
    show(decoder.decode(buffer.subarray(0, bytesRead), { stream: true }));
  }
}
