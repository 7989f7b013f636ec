/**
 * Where listeners come from. `Listen` is the shape that tunnels are handed: bound by this process
 * (listenHere) or by the helper and passed over (adoptServer); the tunnel cannot tell the difference.
 */
import { createServer, type Server, type Socket } from "node:net";
import { errnoOf, LocalizerError, throwIfAborted } from "../errors.ts";
import type { LoopbackAddress } from "../model/loopback.ts";
import type { Port } from "../model/port.ts";

/** An address and a port of the loopback interface. */
export interface ListenAddress {
  readonly address: LoopbackAddress;
  readonly port: Port;
}

/** A bound socket that accepts. Disposing it closes it; connections that it accepted stay. */
export interface Listener extends AsyncDisposable {
  readonly at: ListenAddress;
}

/**
 * Binds and accepts. Sockets arrive paused, half-open allowed, with Nagle's algorithm off and an error
 * handler attached, so that one that breaks before its owner looks at it harms nobody. `wanted` are the numbers that the same
 * address needs for itself: who may not bind where he was told, and moves, must not move there.
 * @throws LocalizerError `conflict` when the port is taken, `denied` when it may not be bound
 */
export type Listen = (
  at: ListenAddress,
  onConnection: (socket: Socket) => void,
  signal?: AbortSignal,
  wanted?: ReadonlySet<Port>,
) => Promise<Listener>;

/**
 * The kernel forgets an application's socket some minutes after its close, though we have not read all. Without a word from time to
 * time ours would stay for ever.
 */
const keepAliveMs = 60_000;

/** Binds in this process. */
export const listenHere: Listen = async (at, onConnection, signal) => {
  throwIfAborted(signal);
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(bindError(at, error)));
    server.listen({ host: at.address, port: at.port, exclusive: true }, resolve);
  });
  const listener = adoptServer(server, at, onConnection);
  if (signal?.aborted) {
    await listener[Symbol.asyncDispose]();
    throwIfAborted(signal);
  }
  return listener;
};

/** Takes over a server that listens already. Must run in the tick in which the server was received. */
export function adoptServer(server: Server, at: ListenAddress, onConnection: (socket: Socket) => void): Listener {
  // A server received over a process channel was made without options; Node reads these at each accept.
  const keepAlive = { keepAlive: true, keepAliveInitialDelay: keepAliveMs };
  Object.assign(server, { allowHalfOpen: true, pauseOnConnect: true, noDelay: true, ...keepAlive });
  server.removeAllListeners("error");
  server.on("error", ignore);
  server.on("connection", (socket: Socket) => {
    socket.on("error", ignore);
    onConnection(socket);
  });
  return new AdoptedServer(server, at);
}

/** There may be thousands of them at rest, so no closures: they take twice as much. */
class AdoptedServer implements Listener {
  readonly at: ListenAddress;
  readonly #server: Server;
  #closed: Promise<void> | undefined;

  constructor(server: Server, at: ListenAddress) {
    this.#server = server;
    this.at = at;
  }

  [Symbol.asyncDispose](): Promise<void> {
    // `close` waits for accepted sockets too; the port is free at once, which is what is promised here.
    this.#closed ??= Promise.race([this.#close(), new Promise<void>((resolve) => setImmediate(resolve))]);
    return this.#closed;
  }

  #close(): Promise<void> {
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

function ignore(): void {}

/** The LocalizerError for a failed bind, with the errno's meaning. */
export function bindError(at: ListenAddress, error: unknown): LocalizerError {
  const action = `Cannot listen on ${at.address}:${at.port}`;
  switch (errnoOf(error)) {
    case "EADDRINUSE":
      return new LocalizerError("conflict", `${action}: the port is taken by another program`, { cause: error });
    case "EACCES":
    case "EPERM": {
      const reason = at.port < 1024 ? "ports below 1024 need the helper" : "the system does not allow it";
      return new LocalizerError("denied", `${action}: ${reason}`, { cause: error });
    }
    case "EADDRNOTAVAIL":
      return new LocalizerError("unavailable", `${action}: the address is not on this machine`, { cause: error });
    case "EMFILE":
    case "ENFILE": {
      const reason = "too many files are open, raise the limit on them (ulimit -n)";
      return new LocalizerError("unavailable", `${action}: ${reason}`, { cause: error });
    }
    default:
      return LocalizerError.wrap(error, action);
  }
}
