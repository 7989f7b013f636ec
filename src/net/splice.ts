/**
 * Joins a local connection with a byte channel until both are done. Promises back-pressure both ways,
 * half-close passed on, a real RST to the local side when the far side fails, and that no socket is
 * left open, whoever ends first. Used by tunnel.
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { FarSide } from "./far-side.ts";
import { followLocalEnd, type PeerEndOf } from "./local-end.ts";
import { pump } from "./pump.ts";

/** How long the local side may take to close after the far side has ended. */
const lingerMs = 30_000;

/** How a spliced pair ended. */
export interface SpliceResult {
  /** Bytes from the local side to the far side. */
  readonly bytesUp: number;
  /** Bytes from the far side to the local side. */
  readonly bytesDown: number;
  /** Why the far side failed; undefined when it ended in order or the local side broke off. */
  readonly error: LocalizerError | undefined;
}

/** Bytes that have passed so far. */
export interface ByteCounts {
  /** As in `SpliceResult`. */
  bytesUp: number;
  bytesDown: number;
}

/** How it is done. */
export interface SpliceOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** Tells a close of the application from a half-close; without it a close is not seen before the pod ends. */
  readonly peerEnd?: PeerEndOf | undefined;
  /** Counted up in place while bytes pass. */
  readonly counts?: ByteCounts;
}

/**
 * Ends a socket by a RST, so that its peer cannot take the failure for a normal end. A socket that has sent
 * its FIN is closed instead: libuv refuses to reset it, and Node would then leak the handle.
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}

/**
 * Resolves when both sides are closed; never rejects. Either may have ended, failed or been closed before. When the signal fires both are destroyed, the local
 * one by a RST. What the local side says after the far side has ended is dropped, for at most 30 s
 * once the far side's last byte is out. With `peerEnd` a local end is looked into: when the application has closed, and
 * does not just wait for the answer, both sides are closed as soon as the far side has taken everything.
 */
export function splice(local: Socket, far: FarSide, options: SpliceOptions): Promise<SpliceResult> {
  const { clock, signal, peerEnd, counts = { bytesUp: 0, bytesDown: 0 } } = options;
  return new Promise((resolve) => {
    let bytesUp = 0;
    let bytesDown = 0;
    let error: LocalizerError | undefined;
    let open = 2;
    let linger: Disposable | undefined;
    let ending: Disposable | undefined;

    const onAbort = () => breakOff(local, far);
    const onClose = () => {
      if (--open > 0) return;
      signal?.removeEventListener("abort", onAbort);
      linger?.[Symbol.dispose]();
      ending?.[Symbol.dispose]();
      resolve({ bytesUp, bytesDown, error });
    };
    const failed = (reason: unknown) => {
      if (!local.destroyed) error ??= LocalizerError.from(reason, "unavailable");
      resetSocket(local);
    };

    const onLocalEnd = () => {
      if (peerEnd === undefined || local.destroyed) return;
      ending = followLocalEnd(local, { clock, peerEnd }, (how) => {
        far.localEnded?.(how);
        if (how === "closed") whenFinished(far, () => local.destroy());
      });
    };

    for (const side of [local, far]) {
      if (side.closed) queueMicrotask(onClose);
      else side.once("close", onClose);
    }
    if (local.closed) far.destroy();
    far.on("error", failed);
    far.on("close", () => {
      if (!far.readableEnded && !local.destroyed) resetSocket(local);
    });
    local.on("error", () => far.destroy());
    local.on("close", () => {
      if (!far.destroyed) far.destroy();
    });
    if (far.errored) failed(far.errored);
    else if (far.closed && !far.readableEnded) resetSocket(local);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });

    pump(local, far, (length) => {
      bytesUp += length;
      counts.bytesUp += length;
    });
    pump(far, local, (length) => {
      bytesDown += length;
      counts.bytesDown += length;
    });
    if (local.readableEnded) onLocalEnd();
    else local.once("end", onLocalEnd);
    // All that the far side said has left this process; only now does a slow reader count as one who lingers.
    local.once("finish", () => {
      if (far.readableEnded) linger = clock.after(lingerMs, () => local.destroy());
    });
  });
}

function whenFinished(stream: Duplex, run: () => void): void {
  if (stream.writableFinished || stream.destroyed) run();
  else stream.once("finish", run);
}

function breakOff(local: Socket, far: Duplex): void {
  far.destroy();
  resetSocket(local);
}
