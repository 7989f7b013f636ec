/**
 * portforward: bytes to a pod's port, past every proxy in between. This is the room's one door; engines
 * and the pool stand behind it. Promises a Duplex or a LocalizerError that says why not. Used by the
 * daemon, which hands it to tunnels.
 */
import type { Endpoint } from "../model/endpoint.ts";
import type { FarSide } from "../net/far-side.ts";

/**
 * Opens a byte channel to the endpoint. Failures before a byte was delivered have the codes `refused`, `gone`, `denied` or
 * `unavailable`; a refusal by the pod comes as the stream's error, since the runtime dials only when the streams are open.
 */
export type DialPod = (endpoint: Endpoint, signal: AbortSignal) => Promise<FarSide>;
