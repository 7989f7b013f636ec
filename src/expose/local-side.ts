/** Where an exposed port's connections end: each leads to the process of this machine that stands in for the pod's. */
import type { Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { Port } from "../model/port.ts";
import type { DialLocal } from "../net/dial-local.ts";
import { joinLocal } from "./join-local.ts";

/** What one exposed port has seen. */
export interface LocalCounts {
  /** Connections now, and ever, with those that nobody took. */
  readonly open: number;
  readonly total: number;
  /** From the callers to the local process, and back. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Connections that no local process took. */
  readonly refused: number;
  /** Why the newest connection failed; absent once one was taken again. */
  readonly lastError?: string;
}

/** One port's. Disposing resets every connection and waits for their end; it may be called twice. */
export interface LocalSide extends AsyncDisposable {
  /** Leads a caller's connection to the local process, or closes it when there is none. Does not throw. */
  take(channel: Duplex): void;
  /** As of now; a new object each time. */
  readonly counts: LocalCounts;
}

/** Starts with counts of zero; nothing is dialled before a connection comes. */
export function openLocalSide(
  { clock, dial }: { readonly clock: Clock; readonly dial: DialLocal },
  { local, remote }: { readonly local: Port; readonly remote: Port },
): LocalSide {
  const stop = new AbortController();
  const running = new Set<Promise<void>>();
  const counts = { total: 0, bytesIn: 0, bytesOut: 0, refused: 0 };
  let lastError: string | undefined;

  const lead = async (channel: Duplex): Promise<void> => {
    // A caller that leaves ends the dialling, too.
    const gone = new AbortController();
    const leave = () => gone.abort();
    channel.once("close", leave);
    stop.signal.addEventListener("abort", leave, { once: true });
    try {
      const socket = await dial(local, gone.signal);
      lastError = undefined;
      const failure = await joinLocal(socket, channel, { clock, counts, signal: stop.signal });
      if (failure !== undefined) lastError = failure.message;
    } catch (error) {
      channel.destroy();
      if (gone.signal.aborted) return;
      counts.refused += 1;
      lastError =
        codeOf(error) === "refused" ? `no local process on port ${local}` : LocalizerError.from(error).message;
    } finally {
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
    get counts() {
      return { ...counts, open: running.size, ...(lastError === undefined ? {} : { lastError }) };
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new LocalizerError("aborted", `Port ${remote} is not exposed any more`));
      await Promise.all(running);
    },
  };
}
