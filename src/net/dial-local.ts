/** Connects to a process of this machine, whichever of the two loopback addresses it listens on (RFC 8305, on a small scale). */
import { connect, type Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { errnoOf, LocalizerError, throwIfAborted } from "../errors.ts";
import type { Port } from "../model/port.ts";

/** So much earlier IPv4 starts; a refusal shortens it. */
const headStartMs = 100;
/** A process that listens, but whose queue is full, does not answer for so long. */
const timeoutMs = 5_000;
/** The kernel forgets a process's half-closed socket some minutes after its end. Without a word from time to time ours would stay for ever. */
const keepAliveMs = 60_000;

/**
 * Opens a connection; half-open allowed, Nagle's algorithm off, paused, an error handler attached.
 * @throws LocalizerError `refused` when nobody listens on the port, `timeout`, `aborted`, `unavailable` when the system fails
 */
export type DialLocal = (port: Port, signal: AbortSignal) => Promise<Socket>;

/** What dialling needs. */
export interface DialLocalParts {
  readonly clock: Clock;
  /** Starts a connection; that of Node if not said otherwise. */
  readonly start?: (host: string, port: Port) => Socket;
}

/** In the order of preference. */
const addresses = ["127.0.0.1", "::1"] as const;

/** Makes a `DialLocal`. */
export function localDialer({ clock, start = startConnection }: DialLocalParts): DialLocal {
  return (port, signal) =>
    new Promise((resolve, reject) => {
      throwIfAborted(signal);
      const sockets = new Set<Socket>();
      const failures: Error[] = [];
      const waiting: string[] = [...addresses];
      let headStart: Disposable | undefined;

      const settle = (tell: () => void) => {
        headStart?.[Symbol.dispose]();
        timer[Symbol.dispose]();
        signal.removeEventListener("abort", onAbort);
        for (const socket of sockets) socket.destroy();
        tell();
      };
      const fail = (error: LocalizerError) => settle(() => reject(error));
      const onAbort = () => fail(new LocalizerError("aborted", "Stopped", { cause: signal.reason }));
      const timer = clock.after(timeoutMs, () =>
        fail(new LocalizerError("timeout", `Cannot connect to local port ${port}: no answer within ${timeoutMs} ms`)),
      );
      signal.addEventListener("abort", onAbort, { once: true });

      const onFailure = (error: Error) => {
        failures.push(error);
        if (waiting.length > 0) next();
        else if (sockets.size === 0) fail(dialError(port, failures));
      };
      const next = () => {
        headStart?.[Symbol.dispose]();
        const host = waiting.shift();
        if (host === undefined) return;
        const socket = start(host, port);
        sockets.add(socket);
        socket.on("error", (error) => {
          if (sockets.delete(socket)) onFailure(error);
        });
        socket.once("connect", () => {
          if (!sockets.has(socket)) return;
          if (isSelfConnected(socket)) {
            socket.destroy(Object.assign(new Error("connected to itself"), { code: "ECONNREFUSED" }));
            return;
          }
          sockets.delete(socket);
          settle(() => resolve(socket));
        });
        if (waiting.length > 0) headStart = clock.after(headStartMs, next);
      };
      next();
    });
}

function startConnection(host: string, port: Port): Socket {
  const socket = connect({
    host,
    port,
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveMs,
  });
  return socket.pause();
}

/** A port of the range from which the kernel takes those of callers can be connected to itself while nobody listens on it. */
function isSelfConnected(socket: Socket): boolean {
  const { localPort, remotePort, localAddress, remoteAddress } = socket;
  return localPort !== undefined && localPort === remotePort && localAddress === remoteAddress;
}

/** Where there is no IPv6 its failure says nothing of the process. */
function dialError(port: Port, failures: readonly Error[]): LocalizerError {
  const cause = new AggregateError(failures);
  const absent = new Set(["ECONNREFUSED", "EADDRNOTAVAIL", "EAFNOSUPPORT", "ENETUNREACH", "EHOSTUNREACH"]);
  const other = failures.find((error) => !absent.has(errnoOf(error) ?? ""));
  if (other !== undefined) return LocalizerError.wrap(other, `Cannot connect to local port ${port}`, "unavailable");
  return new LocalizerError("refused", `Cannot connect to local port ${port}: nobody listens there`, { cause });
}
