/** An API server behind a gateway that speaks HTTP/1.1 only. Each answer is left to the test. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { Server, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { staticCredentials } from "../../src/kube/credentials.ts";
import type { Cluster } from "../../src/kube/kubeconfig.ts";
import { TlsClient, type TlsOptions } from "../../src/kube/tls-client.ts";

/** One request, its body read. */
export interface Http1Request {
  readonly message: IncomingMessage;
  readonly body: string;
  readonly response: ServerResponse;
}

/** The server and a Cluster that leads to it. Disposing it cuts every connection. */
export interface Http1Server extends AsyncDisposable {
  /** Requests so far. */
  readonly requests: readonly Http1Request[];
  /** Connections that are open now; with TLS only once it is up. */
  readonly sockets: ReadonlySet<Socket>;
  /** How many connections were ever made. */
  readonly connections: () => number;
  cluster(overrides?: Partial<Cluster>): Cluster;
  /** Resolves as soon as `condition` holds; looked at after each request, connection and end of one. */
  until(condition: () => boolean): Promise<void>;
}

/** Listens on 127.0.0.1, with TLS if there is a certificate. */
export async function startHttp1Server(
  answer: (request: Http1Request) => void,
  { tls }: { tls?: { readonly key: Buffer; readonly cert: Buffer } } = {},
): Promise<Http1Server> {
  const server: Server =
    tls === undefined ? createServer() : createSecureServer({ ...tls, ALPNProtocols: ["http/1.1"] });
  const requests: Http1Request[] = [];
  const sockets = new Set<Socket>();
  const waiters = new Set<() => void>();
  let connections = 0;
  const wake = () => {
    for (const waiter of waiters) waiter();
    waiters.clear();
  };
  server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket | TLSSocket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      sockets.delete(socket);
      wake();
    });
    wake();
  });
  server.on("clientError", (_error: Error, socket: Socket) => socket.destroy());
  server.on("request", async (message: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk);
    const request = { message, response, body: String(Buffer.concat(chunks)) };
    requests.push(request);
    answer(request);
    wake();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  const scheme = tls === undefined ? "http" : "https";
  return {
    requests,
    sockets,
    connections: () => connections,
    cluster(overrides = {}) {
      const options: TlsOptions = { ...(tls === undefined ? {} : { ca: tls.cert }), rejectUnauthorized: true };
      return {
        contextName: "http1",
        clusterName: "http1",
        userName: "me",
        server: new URL(`${scheme}://127.0.0.1:${address.port}/prefix`),
        namespace: undefined,
        tls: options,
        credentials: staticCredentials(),
        tlsClient: new TlsClient(options),
        ...overrides,
      };
    },
    async until(condition) {
      while (!condition()) await new Promise<void>((resolve) => waiters.add(resolve));
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
