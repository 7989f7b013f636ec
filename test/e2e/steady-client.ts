/** A client that connects again and again at a steady pace, and counts how it fares. */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** How one exchange ended. `pod` is the one that answered. */
export type Exchange =
  | { readonly kind: "answered"; readonly pod: string; readonly atMs: number; readonly tookMs: number }
  | {
      readonly kind: "failed";
      readonly code: string;
      /** False when it never came to a connection. */
      readonly isConnected: boolean;
      readonly atMs: number;
      readonly tookMs: number;
    };

/** A client at work. Disposing ends it. */
export interface SteadyClient extends AsyncDisposable {
  /** All exchanges that are over, in the order of their end. */
  readonly exchanges: readonly Exchange[];
  /** On the clock of the exchanges. */
  readonly nowMs: () => number;
  /** Stops and waits until the last exchange is over. */
  stop(): Promise<readonly Exchange[]>;
}

/**
 * Asks `GET /` of an address each `everyMs`, however long an answer takes; each exchange may take `timeoutMs`. While `atMost` are
 * open it asks nothing: a machine that is too slow for the pace is not buried by it.
 */
export function startSteadyClient(
  at: { readonly address: string; readonly port: number },
  { everyMs = 20, timeoutMs = 10_000, atMost = Number.POSITIVE_INFINITY } = {},
): SteadyClient {
  const exchanges: Exchange[] = [];
  const open = new Set<Promise<void>>();
  const stopping = new AbortController();
  const began = performance.now();
  const running = (async () => {
    for (let next = began; !stopping.signal.aborted; next += everyMs) {
      if (open.size < atMost) {
        const exchange = exchangeOnce(at, timeoutMs, began).then((result) => {
          exchanges.push(result);
        });
        open.add(exchange);
        void exchange.finally(() => open.delete(exchange));
      }
      await sleep(Math.max(0, next + everyMs - performance.now()), undefined, { signal: stopping.signal }).catch(
        () => {},
      );
    }
  })();
  const stop = async () => {
    stopping.abort();
    await running;
    await Promise.all(open);
    return exchanges;
  };
  return {
    exchanges,
    nowMs: () => performance.now() - began,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

function exchangeOnce(
  { address, port }: { readonly address: string; readonly port: number },
  timeoutMs: number,
  began: number,
): Promise<Exchange> {
  return new Promise((resolve) => {
    const started = performance.now();
    let text = "";
    let code = "";
    let isConnected = false;
    const socket = connect({ host: address, port, noDelay: true });
    socket.setTimeout(timeoutMs, () => socket.destroy(Object.assign(new Error("too slow"), { code: "ETIMEDOUT" })));
    socket.setEncoding("latin1");
    socket.on("connect", () => {
      isConnected = true;
      socket.write("GET / HTTP/1.0\r\n\r\n");
    });
    socket.on("data", (piece) => {
      text += piece;
    });
    socket.on("error", (error) => {
      code = String(Reflect.get(error, "code"));
    });
    socket.on("close", () => {
      const pod = /^hello from \S+ on (\S+):/m.exec(text)?.[1];
      const times = { atMs: started - began, tookMs: performance.now() - started };
      if (pod !== undefined) resolve({ kind: "answered", pod, ...times });
      else resolve({ kind: "failed", code: code || (text === "" ? "EMPTY" : "CUT"), isConnected, ...times });
    });
  });
}

/** The failures among them, counted by their code: `{ ECONNRESET: 2 }`. */
export function failuresByCode(exchanges: readonly Exchange[]): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const exchange of exchanges) {
    if (exchange.kind === "failed") counts[exchange.code] = (counts[exchange.code] ?? 0) + 1;
  }
  return counts;
}

/** Those that failed. */
export function failuresOf(exchanges: readonly Exchange[]): readonly Extract<Exchange, { kind: "failed" }>[] {
  return exchanges.filter((exchange) => exchange.kind === "failed");
}

/** How many were open at once at most, at any time from `fromMs` on. */
export function mostOpen(exchanges: readonly Exchange[], fromMs: number): number {
  const late = exchanges.filter(({ atMs, tookMs }) => atMs + tookMs >= fromMs);
  const openAt = (ms: number) => late.filter(({ atMs, tookMs }) => atMs <= ms && ms <= atMs + tookMs).length;
  return Math.max(0, ...late.map(({ atMs }) => openAt(Math.max(atMs, fromMs))));
}
