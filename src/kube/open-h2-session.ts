/** How an HTTP/2 connection to the API server begins: its windows, and what the far side says first. */
import { type ClientHttp2Session, connect } from "node:http2";
import type { Socket } from "node:net";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { leavingServer } from "./api-stream.ts";
import { hostAndPort } from "./dial.ts";
import { dialReason } from "./dial-error.ts";
import { defaultH2SessionOptions, type H2Components, H2Session, type H2SessionOptions } from "./h2-session.ts";
import { formatHostAndPort } from "./tcp.ts";

/** Node's 64 KiB let a list crawl on a long link (data-path.md 4). */
const streamWindow = 1024 * 1024;
const sessionWindow = 8 * 1024 * 1024;

/**
 * Begins to speak HTTP/2 on a connection; the socket is destroyed when that fails.
 * @throws LocalizerError `unavailable` when the far side does not, or is about to shut down; `aborted`
 */
export async function openH2Session(
  components: H2Components,
  signal: AbortSignal | undefined,
  options: H2SessionOptions = defaultH2SessionOptions,
): Promise<H2Session> {
  const { socket, server } = components;
  const raw = connect(server.origin, {
    createConnection: () => socket,
    settings: { initialWindowSize: streamWindow, enablePush: false },
    maxSessionMemory: 64,
  });
  raw.on("error", () => {});
  let isLeaving = false;
  // A draining load balancer sends it behind its first frame, in one packet.
  raw.once("goaway", () => {
    isLeaving = true;
  });
  const action = `Cannot talk to the API server at ${formatHostAndPort(hostAndPort(server))}`;
  try {
    // The server's first frame: in plain it shows what it speaks, and it says how many streams it allows. Opened
    // before that, those too many would be refused (REFUSED_STREAM).
    await remoteSettings(raw, socket, signal);
  } catch (error) {
    raw.destroy();
    socket.destroy();
    throwIfAborted(signal);
    const silent = server.protocol === "https:" ? "it hung up at once" : "it does not speak HTTP/2 without TLS";
    const alert = tlsAlertOf(error);
    const reason = alert === undefined ? silent : dialReason(alert, "server");
    throw new LocalizerError("unavailable", `${action}: ${reason}`, { cause: error });
  }
  // Node reports what came in one packet one tick after the other.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  if (isLeaving || raw.closed || raw.destroyed) {
    raw.destroy();
    socket.destroy();
    throwIfAborted(signal);
    throw leavingServer(action);
  }
  raw.setLocalWindowSize(sessionWindow);
  return new H2Session(raw, components, options);
}

function tlsAlertOf(error: unknown): Error | undefined {
  return error instanceof Error && String(Reflect.get(error, "code")).startsWith("ERR_SSL_") ? error : undefined;
}

function remoteSettings(raw: ClientHttp2Session, socket: Socket, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error?: unknown) => finish(() => reject(error instanceof Error ? error : new Error("closed")));
    const succeed = () => finish(resolve);
    const finish = (settle: () => void) => {
      raw.off("remoteSettings", succeed);
      raw.off("error", fail);
      raw.off("close", fail);
      socket.off("error", fail);
      socket.off("close", fail);
      signal?.removeEventListener("abort", fail);
      settle();
    };
    raw.once("remoteSettings", succeed);
    raw.once("error", fail);
    raw.once("close", fail);
    // The session passes on neither a TLS alert nor an end that came before it had the socket.
    socket.once("error", fail);
    socket.once("close", fail);
    if (signal?.aborted || socket.destroyed) fail();
    else signal?.addEventListener("abort", fail, { once: true });
  });
}
