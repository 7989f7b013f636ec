/** Where an exposed port's connections end: each leads to the process of this machine that stands in for the pod's. */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError, throwIfAborted } from "../errors.ts";
import type { Port } from "../model/port.ts";
import type { DialLocal } from "../net/dial-local.ts";
import type { SeesListener } from "../net/seen-listener.ts";
import { type JoinCounts, joinLocal } from "./join-local.ts";

/** What one exposed port has seen. */
export interface LocalCounts {
  /** Connections now, and ever, with those that nobody took. */
  readonly open: number;
  readonly total: number;
  /** From the callers to the local process, and back. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Connections that no local process took, or that were too many. */
  readonly refused: number;
  /** Why the newest connection failed; absent once one was taken again. */
  readonly lastError?: string;
}

/** One port's. Disposing resets every connection and waits for their end; it may be called twice. */
export interface LocalSide extends AsyncDisposable {
  /** Leads a caller's connection to the local process, or closes it when there is none. Does not throw. */
  take(channel: Duplex): void;
  /** Counts a connection that was closed before it came here, with why. */
  refused(reason: string): void;
  /** The port of the local process. */
  readonly local: Port;
  /**
   * Says whether somebody listens there: as it is seen, else by a connection that is closed at once and not counted.
   * @throws LocalizerError `aborted`
   */
  isListening(signal: AbortSignal): Promise<boolean>;
  /** As of now; a new object each time. */
  readonly counts: LocalCounts;
  /**
   * Connections on which the caller spoke last, or on which what the process has said is still to leave. What passes is not
   * understood: who only ever speaks, and expects nothing, counts as well.
   */
  readonly unanswered: number;
}

/** What a side is made from. */
export interface LocalSideParts {
  readonly clock: Clock;
  readonly dial: DialLocal;
  /** Spares a connection to those whom it sees: some take one only. */
  readonly sees?: SeesListener;
}

/** Starts with counts of zero; nothing is dialled before a connection comes. */
export function openLocalSide(
  { clock, dial, sees = async () => false }: LocalSideParts,
  { local, remote }: { readonly local: Port; readonly remote: Port },
): LocalSide {
  const stop = new AbortController();
  const running = new Set<Promise<void>>();
  const owesAnswer = new Set<() => boolean>();
  const counts = { total: 0, bytesIn: 0, bytesOut: 0, refused: 0 };
  let lastError: string | undefined;

  const lead = async (channel: Duplex): Promise<void> => {
    // A caller that leaves ends the dialling, too.
    const gone = new AbortController();
    const leave = () => gone.abort();
    channel.once("close", leave);
    stop.signal.addEventListener("abort", leave, { once: true });
    let isAsked = false;
    const isOwing = () => {
      if (channel.destroyed) return false;
      const isWaiting = isAsked || channel.readableLength > 0;
      return channel.writableLength > 0 || (isWaiting && !channel.writableEnded);
    };
    owesAnswer.add(isOwing);
    const told: JoinCounts = {
      in(bytes) {
        counts.bytesIn += bytes;
        isAsked = true;
      },
      out(bytes) {
        counts.bytesOut += bytes;
        isAsked = false;
      },
    };
    try {
      const socket = await dial(local, gone.signal);
      lastError = undefined;
      const failure = await joinLocal(socket, channel, { clock, counts: told, signal: stop.signal });
      if (failure !== undefined) lastError = failure.message;
    } catch (error) {
      channel.destroy();
      if (gone.signal.aborted) return;
      counts.refused += 1;
      lastError =
        codeOf(error) === "refused" ? `no local process on port ${local}` : LocalizerError.from(error).message;
    } finally {
      owesAnswer.delete(isOwing);
      channel.off("close", leave);
      stop.signal.removeEventListener("abort", leave);
    }
  };

  return {
    take(channel) {
      channel.on("error", () => {});
      counts.total += 1;
      if (stop.signal.aborted) {
        channel.destroy();
        return;
      }
      const leading = lead(channel).finally(() => running.delete(leading));
      running.add(leading);
    },
    refused(reason) {
      counts.total += 1;
      counts.refused += 1;
      lastError = reason;
    },
    local,
    async isListening(signal) {
      if (await sees(local)) return true;
      try {
        (await dial(local, signal)).destroy();
        return true;
      } catch (error) {
        throwIfAborted(signal);
        // Whoever does not answer is there.
        return codeOf(error) === "timeout";
      }
    },
    get counts() {
      return { ...counts, open: running.size, ...(lastError === undefined ? {} : { lastError }) };
    },
    get unanswered() {
      return [...owesAnswer].filter((isOwing) => isOwing()).length;
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new LocalizerError("aborted", `Port ${remote} is not exposed any more`));
      await Promise.all(running);
    },
  };
}
