/** Where the engines part: most have connections that a pool can keep, `v4` has none. Used by dial-pod. */
import type { Duplex } from "node:stream";
import type { Endpoint } from "../model/endpoint.ts";
import type { PodConnector } from "./choose-engine.ts";

type Dial<T extends Duplex> = (endpoint: Endpoint, signal: AbortSignal) => Promise<T>;

/**
 * Dials by `pooled`, which connects by `connector.connect`, or by the connector itself where the engine is `v4`. When the
 * engine changes from one kind to the other under a dial, the dial is made once more.
 */
export function engineDialer<T extends Duplex>(
  connector: Pick<PodConnector, "engine" | "dial">,
  pooled: Dial<T>,
): Dial<Duplex> {
  const isPooled = () => connector.engine !== "v4";
  const dial = async (endpoint: Endpoint, signal: AbortSignal): Promise<Duplex> =>
    isPooled() ? await pooled(endpoint, signal) : await connector.dial(endpoint, signal);
  return async (endpoint, signal) => {
    const wasPooled = isPooled();
    try {
      return await dial(endpoint, signal);
    } catch (error) {
      if (signal.aborted || wasPooled === isPooled()) throw error;
      return await dial(endpoint, signal);
    }
  };
}
