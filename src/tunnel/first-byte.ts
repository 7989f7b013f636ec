/**
 * The part of a connection that another pod can still take over: from its opening to the pod's first byte. Promises that
 * what the caller said is kept so long (64 KiB at most), that no byte of the pod's is consumed, and back-pressure.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { type ErrorCode, LocalizerError } from "../errors.ts";
import type { FarSide } from "../net/far-side.ts";
import { followLocalEnd, type PeerEndOf } from "../net/local-end.ts";

/** What a caller says is kept up to this; who says more before he is answered can be sent to no other pod. */
const maxKeptBytes = 64 * 1024;

/** Failures that prove that the pod got nothing, whatever was sent (decision 23 of the design: a POST must not run twice). */
const gotNothing: ReadonlySet<ErrorCode> = new Set(["refused", "gone"]);

/** Failures on the way to the pod. It got nothing only if nothing has left. */
const lostOnTheWay: ReadonlySet<ErrorCode> = new Set(["unavailable", "timeout"]);

/** Who counts what the caller says. */
export interface CallerCounts {
  said(bytes: number): void;
}

/** What the caller of one connection has said before he was answered. */
export class SaidSoFar {
  readonly #counts: CallerCounts | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** The caller has ended his side. */
  ended = false;

  constructor(counts?: CallerCounts) {
    this.#counts = counts;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False when it was too much to be kept. */
  get isWhole(): boolean {
    return this.#bytes <= maxKeptBytes;
  }

  /** False when it would be too much with the chunk. */
  hasRoomFor(chunk: Buffer): boolean {
    return this.#bytes + chunk.length <= maxKeptBytes;
  }

  add(chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#counts?.said(chunk.length);
    if (this.isWhole) this.#chunks.push(chunk);
    else this.#chunks = [];
  }

  /** All of it, in one piece. */
  get kept(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** How a pod took the connection. */
export type FirstByte =
  /** It said something, or ended in order: both streams can be spliced, nothing of the answer is read yet. */
  | { readonly kind: "answered" }
  /** Its channel failed and is closed. `mayReplay`: all that was said is kept, and it is proven that no pod got it. */
  | { readonly kind: "failed"; readonly error: LocalizerError; readonly mayReplay: boolean }
  /** The caller broke off or the signal fired; the pod's channel is closed. */
  | { readonly kind: "left" };

/** How it is done. */
export interface FirstByteOptions {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** As for `splice`. */
  readonly peerEnd: PeerEndOf | undefined;
}

/**
 * Repeats to `far` what was said so far, then carries what `local` says, until the pod says its first byte. Leaves
 * `local` paused, and no listener but one on `far`, which keeps its failure from being thrown before somebody looks. An
 * end without a byte after bytes were sent counts as a failure, since a refusal whose reason came too late looks the
 * same; not so when the caller has ended too. Never rejects.
 */
export function untilFirstByte(
  local: Socket,
  far: FarSide,
  said: SaidSoFar,
  { signal, clock, peerEnd }: FirstByteOptions,
): Promise<FirstByte> {
  return new Promise((resolve) => {
    const finish = (result: FirstByte) => {
      far
        .off("readable", answered)
        .off("end", answered)
        .off("drain", drained)
        .off("error", failed)
        .off("close", failed);
      local.off("data", carry).off("end", end).off("error", leave).off("close", leave);
      ending?.[Symbol.dispose]();
      signal.removeEventListener("abort", leave);
      local.pause();
      if (result.kind !== "answered") far.destroy();
      resolve(result);
    };
    const leave = () => finish({ kind: "left" });
    const fail = (error: LocalizerError, mayReplay: boolean) => finish({ kind: "failed", error, mayReplay });
    const failed = () => {
      const error = LocalizerError.from(far.errored ?? "Lost the connection to the pod", "unavailable");
      const isUntouched = !isSent || far.isUntouched === true;
      const isProven = gotNothing.has(error.code) || (isUntouched && lostOnTheWay.has(error.code));
      fail(error, isProven && said.isWhole && far.readableLength === 0);
    };
    const answered = () => {
      if (far.errored !== null) failed();
      else if (far.readableLength > 0 || said.bytes === 0 || said.ended) finish({ kind: "answered" });
      else fail(new LocalizerError("unavailable", "Lost the connection: the pod ended it without an answer"), false);
    };
    const carry = (chunk: Buffer) => {
      isSent = true;
      said.add(chunk);
      if (far.writable && !far.write(chunk)) local.pause();
    };
    const end = () => {
      said.ended = true;
      endFar();
    };
    const endFar = () => {
      far.end();
      // Who has gone without waiting for an answer shall not keep the pod waiting. What he said still counts.
      if (peerEnd !== undefined) ending = followLocalEnd(local, { clock, peerEnd }, (how) => far.localEnded?.(how));
    };
    const drained = () => void (said.ended || local.resume());

    let isSent = false;
    let ending: Disposable | undefined;
    far.on("error", () => {});
    if (signal.aborted || local.destroyed) return leave();
    if (far.readableEnded) return answered();
    if (far.destroyed) return failed();
    far.on("readable", answered).on("end", answered).on("drain", drained).on("error", failed).on("close", failed);
    local.on("data", carry).on("end", end).on("error", leave).on("close", leave);
    signal.addEventListener("abort", leave, { once: true });
    isSent = said.bytes > 0;
    const isFree = !isSent || far.write(said.kept);
    if (said.ended) endFar();
    else if (isFree) local.resume();
  });
}
