/** Exposures without a cluster: one in a list, and lines that a test says one by one. */
import type { ExposeLine } from "../../src/rpc/exposing.ts";
import type { ListedExposure } from "../../src/rpc/listed-exposure.ts";

/** An exposure with something in every field but the reason. */
export const exposedCart: ListedExposure = {
  namespace: "shop",
  service: "cart",
  session: "0f0e0d0c-1111-4222-8333-444455556666",
  state: "exposed",
  reason: "",
  since: 1_700_000_000_000,
  pod: "localizer-cart-0f0e0d0c",
  owners: [{ kind: "Deployment", name: "cart", replicas: 2 }],
  ports: [
    {
      ...{ local: 8080, remote: 80, name: "http", connections: 1, connectionsTotal: 12 },
      ...{ bytesIn: 1_536, bytesOut: 5 * 2 ** 40, refused: 3, lastError: "no local process on port 8080" },
    },
  ],
  holder: "dev@laptop",
};

/** A line of a step. */
export function line(step: string, message: string, level: ExposeLine["level"] = "info"): ExposeLine {
  return { level, message, step };
}

/** A start as it goes well. */
export const startLines: readonly ExposeLine[] = [
  line("preflight", "Deployment cart will be scaled from 2 to 0"),
  line("preflight", "HorizontalPodAutoscaler cart stops adjusting meanwhile", "warn"),
  line("exposed", 'Service "shop/cart" leads to this machine: port 80 (http) to 127.0.0.1:8080'),
];

/** An end as it goes well. */
export const endLines: readonly ExposeLine[] = [
  line("scale-back", "Deployment cart is set to 2 again"),
  line("ended", 'Service "shop/cart" is as it was'),
];

/** Says them all. */
export async function* saying(
  lines: readonly ExposeLine[],
  failure?: Error,
): AsyncGenerator<ExposeLine, void, undefined> {
  yield* lines;
  if (failure !== undefined) throw failure;
}

/** Lines that come when the test says them, to one reader; notes whether he has cancelled. */
export class ToldLines implements AsyncIterableIterator<ExposeLine> {
  /** Somebody has called `return()`. */
  cancelled = false;
  /** How often somebody has asked for a line. */
  asked = 0;
  readonly #told: (() => Promise<IteratorResult<ExposeLine>>)[] = [];
  readonly #waiting: PromiseWithResolvers<IteratorResult<ExposeLine>>[] = [];

  say(...lines: readonly ExposeLine[]): void {
    for (const value of lines) this.#tell(() => Promise.resolve({ value, done: false }));
  }

  end(): void {
    this.#tell(() => Promise.resolve({ value: undefined, done: true }));
  }

  fail(error: Error): void {
    this.#tell(() => Promise.reject(error));
  }

  next(): Promise<IteratorResult<ExposeLine>> {
    this.asked++;
    const told = this.#told.shift();
    if (told !== undefined) return told();
    const waiting = Promise.withResolvers<IteratorResult<ExposeLine>>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  return(): Promise<IteratorResult<ExposeLine>> {
    this.cancelled = true;
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #tell(what: () => Promise<IteratorResult<ExposeLine>>): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#told.push(what);
    else waiting.resolve(what());
  }
}
