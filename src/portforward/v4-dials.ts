/** Dials by the engine `v4`: each caller's connection is one of its own, counted and looked after. Used by choose-engine. */
import type { Clock } from "../clock.ts";
import type { Endpoint } from "../model/endpoint.ts";
import type { TcpEnds } from "../net/tcp-delivery.ts";
import { ChannelLimit } from "./channel-limit.ts";
import type { Opened, Wish } from "./engine-searches.ts";
import type { AskPath } from "./path-check.ts";
import { wrongEngine } from "./try-engine.ts";
import { V4Channel } from "./v4-channel.ts";

/** What it works with. */
export interface V4DialsParts {
  readonly clock: Clock;
  /** A connection by whatever engine is the right one. */
  readonly open: (wish: Wish) => Promise<Opened>;
  /** Who can tell of a connection whether it is lost, if anybody. */
  readonly pathOf: (ends: TcpEnds | undefined) => AskPath | undefined;
  /** As in `PodConnectorParts`. */
  readonly circumstances?: (() => string) | undefined;
}

/** Those to one cluster. Disposing it cuts channels that still send the end of what they were sent. */
export class V4Dials implements Disposable {
  readonly #parts: V4DialsParts;
  readonly #limit: ChannelLimit;

  constructor(parts: V4DialsParts) {
    this.#parts = parts;
    this.#limit = new ChannelLimit(parts.clock);
  }

  /** @throws LocalizerError as `PodConnector.dial` */
  async dial(endpoint: Endpoint, signal: AbortSignal): Promise<V4Channel> {
    const { circumstances, clock, open, pathOf } = this.#parts;
    const { pod, port } = endpoint;
    const upgraded = await this.#limit.hold(endpoint, signal, async () => {
      for (;;) {
        const opened = await open({ pod, signal, port });
        if (opened.engine === "v4" && !opened.upgraded.socket.destroyed) return opened.upgraded;
        opened.upgraded.socket.destroy();
        if (opened.engine !== "v4") throw wrongEngine(pod, opened.engine);
        // A search has just found it, with a port that nobody listens on.
      }
    });
    const health = { askPath: pathOf(upgraded.ends), circumstances };
    return new V4Channel(upgraded, endpoint, { clock, health });
  }

  [Symbol.dispose](): void {
    this.#limit[Symbol.dispose]();
  }
}
