/** One TCP connection, and waiting until a connection is up, whatever it is made of. */
import { connect, type Socket } from "node:net";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { dialError, type Peer } from "./dial-error.ts";

/** A place to connect to. IPv6 addresses stand without brackets. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** User and password of a proxy's URL. */
export interface ProxyLogin {
  readonly user: string;
  readonly password: string;
}

const keepAliveMs = 30_000;

/** How long one address of a name with several is tried before the next; Node's 250 ms are too short for far clusters. */
const addressAttemptMs = 2_000;

/** The options of `net.connect` and `tls.connect` for a place: all addresses of a name are tried, both families. */
export function tcpOptions({ host, port }: HostAndPort) {
  return { host, port, autoSelectFamilyAttemptTimeout: addressAttemptMs };
}

/** `host:port`, with brackets where the host needs them. */
export function formatHostAndPort({ host, port }: HostAndPort): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Connects by TCP.
 * @throws LocalizerError as `established`
 */
export async function connectTcp(to: HostAndPort, peer: Peer, signal: AbortSignal | undefined): Promise<Socket> {
  throwIfAborted(signal);
  const socket = connect(tcpOptions(to));
  await established(socket, "connect", peer, signal);
  return socket;
}

/**
 * Waits until the socket is up, and destroys it if that fails. Nagle's algorithm is off then, TCP keep-alive on after
 * 30 s, and an error handler that does nothing attached for the socket's life.
 * @throws LocalizerError `unavailable` with the peer and the reason, `aborted`
 */
export function established(
  socket: Socket,
  event: "connect" | "secureConnect",
  peer: Peer,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => finish(new LocalizerError("aborted", "Stopped", { cause: signal?.reason }));
    const fail = (error: Error) => finish(dialError(peer, error));
    const close = () => finish(new LocalizerError("unavailable", `Cannot connect to ${peer.name}: it hung up`));
    const succeed = () => finish(undefined);
    const finish = (error: LocalizerError | undefined) => {
      signal?.removeEventListener("abort", stop);
      socket.off("close", close);
      socket.off(event, succeed);
      socket.off("error", fail);
      // Stays for the socket's life: errors between here and the owner's own handler must not end the process.
      socket.on("error", () => {});
      if (error !== undefined) {
        socket.destroy();
        reject(error);
        return;
      }
      socket.setNoDelay(true);
      socket.setKeepAlive(true, keepAliveMs);
      resolve();
    };
    socket.once("error", fail);
    socket.once("close", close);
    socket.once(event, succeed);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
