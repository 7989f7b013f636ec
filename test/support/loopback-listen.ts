/** A `Listen` for tests: every address and port is there to be had, each in truth a free port of 127.0.0.1. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { LocalizerError, throwIfAborted } from "../../src/errors.ts";
import { adoptServer, type Listen, type ListenAddress } from "../../src/net/listen.ts";

/** Makes listeners and connections to them. */
export class LoopbackListen {
  /** Why binding fails, by port. */
  readonly failures = new Map<number, LocalizerError>();
  /** Binding waits for it. */
  gate: Promise<void> | undefined;
  /** How often each was bound or tried, as "127.1.2.3:80". */
  readonly attempts: string[] = [];
  readonly #servers = new Map<string, Server>();

  readonly listen: Listen = async (at, onConnection, signal) => {
    throwIfAborted(signal);
    const name = nameOf(at);
    this.attempts.push(name);
    await this.gate;
    const failure = this.failures.get(at.port);
    if (failure !== undefined) throw failure;
    if (this.#servers.has(name)) throw new LocalizerError("conflict", `Cannot listen on ${name} twice`);
    const server = createServer();
    this.#servers.set(name, server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const listener = adoptServer(server, at, onConnection);
    return {
      at,
      [Symbol.asyncDispose]: async () => {
        await listener[Symbol.asyncDispose]();
        // A later listener of that name is none of this one's business.
        if (this.#servers.get(name) === server) this.#servers.delete(name);
      },
    };
  };

  /** What listens, as "127.1.2.3:80". */
  get open(): readonly string[] {
    return [...this.#servers.keys()];
  }

  /** A connection to a listener. Its errors go unnoticed unless the test looks. */
  connect(name: string): Socket {
    const at = this.#servers.get(name)?.address();
    if (at === null || typeof at !== "object") throw new Error(`nothing listens on ${name}`);
    const socket = connect({ host: "127.0.0.1", port: at.port, allowHalfOpen: true });
    socket.on("error", () => {});
    return socket;
  }
}

function nameOf({ address, port }: ListenAddress): string {
  return `${address}:${port}`;
}
