/**
 * The engines: what each asks for, and how it shows that more works than its upgrade. Used by choose-engine, which decides
 * between them.
 */
import type { Duplex } from "node:stream";
import { type Clock, withTimeout } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { EngineName } from "../model/engine-name.ts";
import { port } from "../model/port.ts";
import { FrameWriter } from "./frames.ts";
import type { Upgraded, UpgradeOutcome, UpgradeWay } from "./upgrade.ts";
import { brokenOff, wrongProtocol } from "./upgrade-refusal.ts";
import { V4Channel, v4Protocol } from "./v4-channel.ts";
import { WebSocketTunnel } from "./websocket-tunnel.ts";

/** Behind the upgrade's answer an echo takes one round trip. */
const echoTimeoutMs = 5_000;

/** What `v4` is tried with: a port that no pod listens on, so that no application sees a client. */
const portOfNobody = port(1);

/** What the engine asks for. `v4` has the pod's port in its upgrade. */
export function wayOf(engine: EngineName, podPort: number = portOfNobody): UpgradeWay {
  switch (engine) {
    case "post-spdy":
      return { method: "POST", protocol: "SPDY/3.1" };
    case "get-spdy":
      return { method: "GET", protocol: "SPDY/3.1" };
    case "websocket":
      return { method: "GET", protocol: "websocket", subprotocol: "SPDY/3.1+portforward.k8s.io" };
    case "v4":
      return { method: "GET", protocol: "websocket", subprotocol: v4Protocol, query: `?ports=${podPort}` };
    default:
      return engine satisfies never;
  }
}

/** What SPDY is spoken over. `v4` knows no SPDY and comes back as it is. */
export function carrierOf(engine: EngineName, upgraded: Upgraded): Upgraded {
  if (engine !== "websocket") return upgraded;
  return { ...upgraded, socket: new WebSocketTunnel(upgraded.socket, upgraded.head), head: Buffer.alloc(0) };
}

/**
 * Waits for a sign of life from the runtime: the answer to a ping, or the port that `v4` names first. A gateway may answer
 * 101 and then pass nothing on. The carrier comes back, closed unless it is alive; of `v4` it is closed anyway.
 * @throws LocalizerError `aborted`, with the connection closed
 */
export async function shownAlive(
  engine: EngineName,
  carrier: Upgraded,
  pod: PodRef,
  parts: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<UpgradeOutcome> {
  const { clock, signal } = parts;
  const options = { action: "Cannot use the upgraded connection", timeoutMs: echoTimeoutMs, signal };
  try {
    return await withTimeout<UpgradeOutcome>(clock, options, (limited) =>
      engine === "v4" ? portNamed(carrier, pod, clock, limited) : pingAnswered(carrier, limited),
    );
  } catch (error) {
    carrier.socket.destroy();
    if (signal.aborted) throw LocalizerError.from(error, "aborted");
    const isSilent = codeOf(error) === "timeout";
    return isSilent
      ? brokenOff(`nothing came behind the 101 within ${echoTimeoutMs} ms`, "timeout")
      : brokenOff(LocalizerError.from(error).message);
  }
}

async function portNamed(carrier: Upgraded, pod: PodRef, clock: Clock, signal: AbortSignal): Promise<Upgraded> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const channel = new V4Channel(carrier, { pod, port: portOfNobody }, { clock, onOpen: resolve });
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  channel.once("close", () => reject(channel.errored ?? new Error("the WebSocket was closed behind the 101")));
  channel.resume();
  try {
    await promise;
    return carrier;
  } finally {
    signal.removeEventListener("abort", onAbort);
    channel.destroy();
  }
}

/** The runtime says nothing of its own accord, so what comes is the ping. */
async function pingAnswered(carrier: Upgraded, signal: AbortSignal): Promise<UpgradeOutcome> {
  const { socket, head } = carrier;
  const ping = new FrameWriter().ping(1);
  socket.write(ping);
  let bytes = head;
  for (;;) {
    const length = Math.min(bytes.length, ping.length);
    if (!bytes.subarray(0, length).equals(ping.subarray(0, length))) {
      socket.destroy();
      return wrongProtocol("what comes behind it is no port-forward");
    }
    if (length === ping.length) return { ...carrier, head: bytes.subarray(length) };
    bytes = Buffer.concat([bytes, await nextChunk(socket, signal)]);
  }
}

/** Throws when the socket ends, or with the signal's reason. Leaves it without a listener. */
async function nextChunk(socket: Duplex, signal: AbortSignal): Promise<Buffer> {
  for (;;) {
    const chunk: unknown = socket.read();
    if (Buffer.isBuffer(chunk)) return chunk;
    if (socket.errored) throw socket.errored;
    if (socket.readableEnded || socket.destroyed) throw new Error("the connection was closed behind the 101");
    if (signal.aborted) throw signal.reason;
    await somethingHappens(socket, signal);
  }
}

function somethingHappens(socket: Duplex, signal: AbortSignal): Promise<void> {
  const events = ["readable", "end", "error", "close"] as const;
  return new Promise((resolve) => {
    const done = () => {
      for (const event of events) socket.off(event, done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    for (const event of events) socket.on(event, done);
    signal.addEventListener("abort", done);
  });
}
