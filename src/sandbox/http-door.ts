/**
 * How requests reach the simulated API server: HTTP/2 and HTTP/1.1, with TLS or without, each request as one Exchange
 * that does not show which it was. Promises that nothing of it lives on after its disposal.
 */
import { createServer as createPlainServer, type IncomingMessage, type ServerResponse } from "node:http";
import {
  constants,
  createSecureServer,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import { LocalizerError } from "../errors.ts";
import type { HttpRequest } from "./api-call.ts";

/** Names as ALPN has them. */
export type HttpVersion = "h2" | "http/1.1";

/** Settings of a door. */
export interface HttpDoorOptions {
  /** 127.0.0.1 unless given. */
  readonly host?: string | undefined;
  /** A free one unless given. */
  readonly port?: number | undefined;
  /** Plain HTTP when absent. */
  readonly tls?: { readonly key: string | Buffer; readonly cert: string | Buffer } | undefined;
  /** What is spoken, best first; without TLS the first alone. HTTP/2 and HTTP/1.1 unless given. */
  readonly versions?: readonly HttpVersion[] | undefined;
  /** On one HTTP/2 connection; 100 unless given, as the real server. */
  readonly maxConcurrentStreams?: number | undefined;
}

/** One request and the way back. After `closed` nothing is sent any more. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly closed: AbortSignal;
  /** Sends the head at once. */
  respond(status: number, headers: Readonly<Record<string, string>>): void;
  write(text: string): void;
  end(body?: string | Buffer): void;
  /** Breaks the stream off; over HTTP/1.1 that cuts the connection. */
  reset(): void;
  /** Cuts the connection. */
  cut(): void;
}

/** An open door. */
export interface HttpDoor extends AsyncDisposable {
  readonly origin: string;
  /** How many connections were ever made. */
  readonly connections: number;
  cutConnections(): void;
  /** Tells every HTTP/2 client to come again on another connection. */
  goAway(): void;
}

type Incoming = IncomingMessage | Http2ServerRequest;
type Outgoing = ServerResponse | Http2ServerResponse;

/** A reader who lags behind by so much is cut off, as the real server ends a watch that is not read. */
const maxBacklog = 16 * 1024 * 1024;
/** As the real server (limitedReadBody in k8s.io/apiserver). */
const maxBodyBytes = 3 * 1024 * 1024;

/**
 * Opens it.
 * @throws LocalizerError `conflict` when the port is taken
 */
export async function openHttpDoor(
  options: HttpDoorOptions,
  onExchange: (exchange: Exchange) => void,
): Promise<HttpDoor> {
  const { host = "127.0.0.1", port = 0, tls } = options;
  const sockets = new Set<{ destroy(): unknown }>();
  const sessions = new Set<ServerHttp2Session>();
  let connections = 0;
  const server = createFor(options, (request, response) => {
    // What goes wrong here goes wrong with this request alone.
    receive(request, response, onExchange).catch(() => request.destroy());
  });
  server.on("connection", (socket) => {
    connections++;
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("session", (session: ServerHttp2Session) => {
    sessions.add(session);
    session.on("error", () => {});
    session.on("close", () => sessions.delete(session));
  });
  for (const event of ["sessionError", "clientError", "tlsClientError"]) server.on(event, () => {});
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(new LocalizerError("conflict", `Cannot listen on ${host}:${port}: ${error.message}`, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
  const at = server.address();
  const taken = at !== null && typeof at === "object" ? at.port : port;
  const cutConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    origin: `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${taken}`,
    get connections() {
      return connections;
    },
    cutConnections,
    goAway() {
      for (const session of sessions) session.goaway();
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      cutConnections();
      await closed;
    },
  };
}

function createFor(options: HttpDoorOptions, listener: (request: Incoming, response: Outgoing) => void) {
  const { tls, versions = ["h2", "http/1.1"], maxConcurrentStreams = 100 } = options;
  const settings = { maxConcurrentStreams };
  if (tls !== undefined) {
    const allowHTTP1 = versions.includes("http/1.1");
    return createSecureServer({ ...tls, settings, allowHTTP1, ALPNProtocols: [...versions] }, listener);
  }
  return versions[0] === "h2" ? createServer({ settings }, listener) : createPlainServer(listener);
}

async function receive(incoming: Incoming, outgoing: Outgoing, onExchange: (exchange: Exchange) => void) {
  const gone = new AbortController();
  outgoing.on("error", () => {});
  outgoing.on("close", () => gone.abort());
  const exchange = exchangeOver(outgoing, gone.signal);
  const body = await bodyOf(incoming);
  // It broke off; there is nobody to answer.
  if (body === undefined) return;
  const url = URL.parse(incoming.url ?? "/", "http://sandbox");
  if (body.length > maxBodyBytes) refuse(exchange, 413, `Request entity too large: limit is ${maxBodyBytes}`);
  else if (url === null) refuse(exchange, 400, "400 Bad Request");
  else {
    const { method = "GET", headers } = incoming;
    const request = { method, path: url.pathname, query: url.searchParams, headers, body: body.toString("utf8") };
    onExchange({ ...exchange, request });
  }
}

function refuse(exchange: Omit<Exchange, "request">, status: number, words: string): void {
  exchange.respond(status, { "content-type": "text/plain; charset=utf-8" });
  exchange.end(`${words}\n`);
}

/** The whole body; of one that is too large so much that it shows, and the rest is read past. */
async function bodyOf(incoming: Incoming): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of incoming) {
      if (size <= maxBodyBytes) chunks.push(chunk);
      size += chunk.length;
    }
  } catch {
    return undefined;
  }
  return Buffer.concat(chunks);
}

function exchangeOver(outgoing: Outgoing, closed: AbortSignal): Omit<Exchange, "request"> {
  // Over HTTP/2 the stream itself: its compatible form holds the head back until there is a body.
  const stream = "stream" in outgoing ? outgoing.stream : undefined;
  const session = stream?.session;
  const body = "stream" in outgoing ? outgoing.stream : outgoing;
  const reset = () => {
    if (stream === undefined) outgoing.destroy();
    else stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  };
  return {
    closed,
    respond(status, headers) {
      if (closed.aborted) return;
      if ("stream" in outgoing) outgoing.stream.respond({ ":status": status, ...headers });
      else outgoing.writeHead(status, headers).flushHeaders();
    },
    write(text) {
      if (closed.aborted) return;
      body.write(text);
      if (body.writableLength > maxBacklog) reset();
    },
    end(rest = "") {
      if (!closed.aborted) body.end(rest);
    },
    reset,
    cut() {
      if (session === undefined) outgoing.destroy();
      else session.destroy();
    },
  };
}
