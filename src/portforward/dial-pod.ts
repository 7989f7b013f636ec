/**
 * portforward: bytes to a pod's port, past every proxy in between. This is the room's one door; engines
 * and the pool stand behind it. Promises a Duplex or a LocalizerError that says why not. Used by the
 * daemon, which hands it to tunnels.
 */
import type { Duplex } from "node:stream";
import type { Endpoint } from "../model/endpoint.ts";
import type { PodConnector } from "./choose-engine.ts";
import { engineDialer } from "./engine-dialer.ts";

/**
 * Opens a byte channel to the endpoint. Each has an upgraded connection of its own, which ends with it.
 * Failures before a byte was delivered have the codes `refused`, `gone`, `denied` or `unavailable`; a
 * refusal by the pod comes as the stream's error, since the runtime dials only when the streams are open.
 */
export type DialPod = (endpoint: Endpoint, signal: AbortSignal) => Promise<Duplex>;

/** The DialPod of a cluster: one upgraded connection per channel, by whatever engine works there. */
export function podDialer(connector: PodConnector): DialPod {
  return engineDialer(connector, async (endpoint, signal) => {
    const connection = await connector.connect(endpoint.pod, signal);
    const stream = connection.openStream(endpoint);
    stream.once("close", () => void connection[Symbol.asyncDispose]());
    return stream;
  });
}
