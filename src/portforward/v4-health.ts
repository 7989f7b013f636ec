/**
 * The health of a connection by the engine `v4`, which no pool looks after: the same judgement as for SPDY, with the pings of
 * the WebSocket, which the runtime answers. Used by v4-channel.
 */
import type { Clock } from "../clock.ts";
import { ConnectionHealth } from "./connection-health.ts";
import type { AskPath } from "./path-check.ts";
import { pingsPerRound } from "./ping-rounds.ts";
import { defaultPoolOptions } from "./pool-options.ts";

const lookEveryMs = 1_000;

/** When a look comes later than this, it was this process that was not there. */
const lateMs = 1_000;

/** The connection. */
export interface V4Connection {
  ping(payload: Buffer): void;
  readonly hasBacklog: boolean;
  readonly isPaused: boolean;
  /** Nothing comes any more. */
  lost(reason: string): void;
}

/** Who knows more than pings. */
export interface V4HealthParts {
  readonly clock: Clock;
  readonly askPath?: AskPath | undefined;
  /** As in `PodConnectorParts`: when they are others the connection has to answer soon. */
  readonly circumstances?: (() => string) | undefined;
}

/** Looks every second until it is disposed. */
export class V4Health implements Disposable {
  readonly #connection: V4Connection;
  readonly #parts: V4HealthParts;
  readonly #health: ConnectionHealth;
  #lastHeardMs: number;
  #circumstances: string | undefined;
  #timer: Disposable | undefined;

  constructor(connection: V4Connection, parts: V4HealthParts) {
    const { clock, askPath, circumstances } = parts;
    this.#connection = connection;
    this.#parts = parts;
    this.#lastHeardMs = clock.monotonic();
    this.#circumstances = circumstances?.();
    const heard = () => this.#lastHeardMs;
    const sender = {
      finAndPings: (_pair: unknown, _fin: boolean, ids: readonly number[]) => connection.ping(payloadOf(ids)),
      get hasBacklog() {
        return connection.hasBacklog;
      },
    };
    const receiver = {
      get isPaused() {
        return connection.isPaused;
      },
      get lastHeardMs() {
        return heard();
      },
      excuse: () => this.heard(),
    };
    this.#health = new ConnectionHealth(clock, sender, receiver, askPath);
    this.#lookLater();
  }

  /** Something came. */
  heard(): void {
    this.#lastHeardMs = this.#parts.clock.monotonic();
  }

  /** The answer to a ping, or what a gateway says of its own accord. */
  ponged(payload: Buffer): void {
    if (payload.length !== 4 * pingsPerRound) return;
    const ids = Array.from({ length: pingsPerRound }, (_, index) => payload.readUInt32BE(4 * index));
    // Even ones are never ours.
    if (ids.every((id) => id % 2 === 1)) for (const id of ids) this.#health.pinged(id);
  }

  /** Bytes for the application went out. */
  sent(bytes: number): void {
    this.#health.sent(bytes);
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
  }

  /** What never answered a ping may be something that answers none, such as a gateway: its silence means nothing. */
  get #answers(): boolean {
    return this.#health.rttMs !== undefined;
  }

  #lookLater(): void {
    const { clock } = this.#parts;
    const dueMs = clock.monotonic() + lookEveryMs;
    this.#timer = clock.after(lookEveryMs, () => this.#look(clock.monotonic() - dueMs > lateMs));
  }

  #look(isLate: boolean): void {
    const circumstances = this.#parts.circumstances?.();
    const isAlarm = circumstances !== this.#circumstances && this.#answers;
    this.#circumstances = circumstances;
    if (isAlarm) this.#health.alarm();
    // What came meanwhile has not been read yet.
    if (isLate || !this.#answers) this.heard();
    const verdict = this.#health.look({ ...defaultPoolOptions, everyMs: defaultPoolOptions.pingEveryMs });
    if (verdict === "lost") this.#connection.lost(`nothing came for ${Math.round(this.#health.silentMs / 1000)} s`);
    else this.#lookLater();
  }
}

/** All of a round in one ping: there are no workers to be tested one by one. */
function payloadOf(ids: readonly number[]): Buffer {
  const payload = Buffer.alloc(4 * ids.length);
  for (const [index, id] of ids.entries()) payload.writeUInt32BE(id, 4 * index);
  return payload;
}
