/** Where the engines part: most have connections that a pool can keep, `v4` has none. Used by the daemon. */
import type { PodRef } from "../model/endpoint.ts";
import type { PodConnector } from "./choose-engine.ts";
import type { DialPod } from "./dial-pod.ts";

/**
 * Dials by `pooled`, which connects by `connector.connect`, or by the connector itself where the engine for the pod is `v4`.
 * When that changes from one kind to the other under a dial, the dial is made once more.
 */
export function engineDialer(connector: Pick<PodConnector, "engineFor" | "dial">, pooled: DialPod): DialPod {
  const isPooled = (pod: PodRef) => connector.engineFor(pod) !== "v4";
  const dial: DialPod = async (endpoint, signal) =>
    isPooled(endpoint.pod) ? await pooled(endpoint, signal) : await connector.dial(endpoint, signal);
  return async (endpoint, signal) => {
    const wasPooled = isPooled(endpoint.pod);
    try {
      return await dial(endpoint, signal);
    } catch (error) {
      if (signal.aborted || wasPooled === isPooled(endpoint.pod)) throw error;
      return await dial(endpoint, signal);
    }
  };
}
