/** Connections that stay open and ask for an echo again and again. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Address } from "./contender.ts";

const connectTimeoutMs = 10_000;

/** How a round of echoes went. */
export interface Round {
  readonly latenciesMs: readonly number[];
  /** Connections on which every byte came back in time. */
  readonly answered: number;
}

/** Open connections. Disposing closes them. */
export interface LongClients extends AsyncDisposable {
  /** A byte on each connection every `everyMs`, one at a time on each, for so long. One that has none after `timeoutMs` is given up. */
  round(options: { readonly everyMs: number; readonly forMs: number; readonly timeoutMs: number }): Promise<Round>;
}

/** Opens them, and has one echo of each before it resolves. Throws when one of them does not work. */
export async function openLongClients(address: Address, count: number, signal: AbortSignal): Promise<LongClients> {
  await using all = new AsyncDisposableStack();
  const sockets = Array.from({ length: count }, () =>
    all.adopt(connect({ ...address, noDelay: true }), (socket) => void socket.destroy()),
  );
  for (const socket of sockets) socket.on("error", () => {});
  const first = await Promise.all(sockets.map((socket) => echo(socket, connectTimeoutMs)));
  const failed = first.filter((ms) => ms === undefined).length;
  if (failed > 0) throw new Error(`${failed} of ${count} connections gave no echo`);
  const works = all.move();
  return {
    async round({ everyMs, forMs, timeoutMs }) {
      const latenciesMs: number[] = [];
      let answered = 0;
      const end = performance.now() + forMs;
      const serve = async (socket: Socket, index: number) => {
        // Spread over the interval, so that they do not come all at once.
        await sleep((index * everyMs) / count, undefined, { signal });
        while (performance.now() < end) {
          const startedMs = performance.now();
          const ms = await echo(socket, timeoutMs);
          if (ms === undefined) return;
          latenciesMs.push(ms);
          await sleep(Math.max(0, startedMs + everyMs - performance.now()), undefined, { signal });
        }
        answered++;
      };
      await Promise.all(sockets.map(serve));
      return { latenciesMs, answered };
    },
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}

/** Milliseconds; undefined when it does not come in time or the connection ends. */
async function echo(socket: Socket, timeoutMs: number): Promise<number | undefined> {
  const startedMs = performance.now();
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(timeoutMs)]);
  try {
    if (socket.connecting) await once(socket, "connect", { signal });
    const end = once(socket, "close", { signal }).then(() => undefined);
    const data = once(socket, "data", { signal }).then(() => performance.now() - startedMs);
    end.catch(() => {});
    data.catch(() => {});
    socket.write("x");
    return await Promise.race([data, end]);
  } catch {
    return undefined;
  } finally {
    over.abort();
  }
}
