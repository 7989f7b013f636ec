/** One connection of a caller, joined with one to the local process until both are done. */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { DialLocal } from "../net/dial-local.ts";
import { pump } from "../net/pump.ts";
import { resetSocket } from "../net/splice.ts";

/** A process may take so long to read the rest when its caller is gone for good. */
const lingerMs = 30_000;

/** A connection to the local process. */
export type LocalSocket = Awaited<ReturnType<DialLocal>>;

/** Told of bytes as they pass. */
export interface JoinCounts {
  /** From the caller to the local process. */
  in(bytes: number): void;
  out(bytes: number): void;
}

/**
 * Resolves when both sides are closed; with the reason when the local process broke off. Never rejects. Half-closes are passed on; a
 * failure of the channel resets the socket, one of the socket destroys the channel, the signal does both. Unlike `splice` it leaves
 * the channel alone after a normal end: what is on its way to the caller would go with it.
 */
export function joinLocal(
  local: LocalSocket,
  channel: Duplex,
  { clock, counts, signal }: { clock: Clock; counts: JoinCounts; signal: AbortSignal },
): Promise<LocalizerError | undefined> {
  return new Promise((resolve) => {
    let reason: LocalizerError | undefined;
    let linger: Disposable | undefined;
    let open = 2;
    const onClose = () => {
      if (--open > 0) return;
      linger?.[Symbol.dispose]();
      signal.removeEventListener("abort", onAbort);
      resolve(reason);
    };
    const onAbort = () => {
      channel.destroy();
      resetSocket(local);
    };
    for (const side of [local, channel]) {
      if (side.closed) queueMicrotask(onClose);
      else side.once("close", onClose);
    }

    local.on("error", (error) => {
      if (!channel.destroyed)
        reason = LocalizerError.wrap(error, "Lost a connection to the local process", "unavailable");
      channel.destroy();
    });
    local.once("close", () => {
      if (!local.readableEnded) channel.destroy();
    });
    channel.on("error", () => {});
    channel.once("close", () => {
      if (local.destroyed) return;
      if (!channel.readableEnded) {
        resetSocket(local);
        return;
      }
      // The caller is gone, and the process may not know: it gets the rest, and then what a write to nobody gets.
      local.destroySoon();
      linger = clock.after(lingerMs, () => resetSocket(local));
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    if (channel.closed) resetSocket(local);
    if (local.destroyed) channel.destroy();

    pump(local, channel, (length) => counts.out(length));
    pump(channel, local, (length) => counts.in(length));
  });
}
