/**
 * A small stand-in for a Kubernetes API server over HTTP/2: lists and watches of objects that a test puts in, and
 * the ways in which a real one fails. Test code only; a later sandbox grows out of it.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { staticCredentials } from "../../src/kube/credentials.ts";
import type { Cluster } from "../../src/kube/kubeconfig.ts";
import { TlsClient } from "../../src/kube/tls-client.ts";

/** One request as the server got it. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Takes a request in the server's place. */
export type FakeHandler = (stream: ServerHttp2Stream, request: FakeRequest) => void;

/** An object of the fake cluster. */
export interface FakeObject {
  readonly metadata: { readonly namespace: string; readonly name: string; readonly uid: string };
  readonly [field: string]: unknown;
}

interface Watcher {
  readonly stream: ServerHttp2Stream;
  readonly scope: (plural: string, namespace: string) => boolean;
}

/** Key and certificate for "localhost" and 127.0.0.1, made with openssl. */
export async function makeCertificate(names = "DNS:localhost,IP:127.0.0.1"): Promise<{ key: Buffer; cert: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), "fake-api-"));
  const [key, cert] = [join(folder, "key"), join(folder, "cert")];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key];
  const subject = ["-subj", "/CN=fake", "-addext", `subjectAltName=${names}`, "-days", "2", "-out", cert];
  try {
    await promisify(execFile)("openssl", ["req", "-x509", ...curve, ...subject]);
    return { key: await readFile(key), cert: await readFile(cert) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Starts a server on a free port of 127.0.0.1. A real one allows 100 streams on a connection. */
export async function startFakeApiServer({ maxConcurrentStreams = 100 } = {}): Promise<FakeApiServer> {
  const { key, cert } = await makeCertificate();
  const server = createSecureServer({ key, cert, ALPNProtocols: ["h2"], settings: { maxConcurrentStreams } });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return new FakeApiServer(server, cert);
}

/** The running server. */
export class FakeApiServer implements AsyncDisposable {
  /** Every request so far, in the order in which they were complete. */
  readonly requests: FakeRequest[] = [];
  readonly sessions = new Set<ServerHttp2Session>();
  /** How many connections were ever made. */
  connections = 0;
  /** Called with every new connection, before it is answered. */
  onSession: (session: ServerHttp2Session) => void = () => {};
  readonly #server: Http2SecureServer;
  readonly #sockets = new Set<Socket>();
  readonly #ca: Buffer;
  readonly #objects = new Map<string, Map<string, FakeObject>>();
  readonly #watchers = new Set<Watcher>();
  readonly #handlers: { matches: (request: FakeRequest) => boolean; handler: FakeHandler }[] = [];
  readonly #waiters = new Set<() => void>();
  #version = 100;
  #oldest = 0;

  constructor(server: Http2SecureServer, ca: Buffer) {
    this.#server = server;
    this.#ca = ca;
    server.on("session", (session) => {
      this.connections++;
      this.sessions.add(session);
      session.on("error", () => {});
      session.on("stream", (stream, headers) => void this.#receive(stream, headers));
      session.on("close", () => this.sessions.delete(session));
      this.onSession(session);
    });
    server.on("sessionError", () => {});
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return address.port;
  }

  /** A Cluster that leads here. */
  cluster(overrides: Partial<Cluster> = {}): Cluster {
    const tls = { ca: this.#ca, rejectUnauthorized: true };
    return {
      contextName: "fake",
      clusterName: "fake",
      userName: "me",
      server: new URL(`https://127.0.0.1:${this.port}`),
      namespace: undefined,
      tls,
      credentials: staticCredentials(),
      tlsClient: new TlsClient(tls),
      ...overrides,
    };
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Lets the handler answer the next request that matches. */
  onNext(matches: (request: FakeRequest) => boolean, handler: FakeHandler): void {
    this.#handlers.push({ matches, handler });
  }

  /** Adds or changes an object and tells the watchers. */
  put(plural: string, object: FakeObject): void {
    const objects = this.#objects.get(plural) ?? new Map<string, FakeObject>();
    this.#objects.set(plural, objects);
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    const type = objects.has(key) ? "MODIFIED" : "ADDED";
    this.#version++;
    objects.set(key, this.#stamp(object));
    this.#tell(plural, type, this.#stamp(object));
  }

  /** Removes an object; the watchers are told unless `silently`. */
  remove(plural: string, object: FakeObject, silently = false): void {
    this.#version++;
    this.#objects.get(plural)?.delete(`${object.metadata.namespace}/${object.metadata.name}`);
    if (!silently) this.#tell(plural, "DELETED", this.#stamp(object));
  }

  /** Sends raw text to all watchers. */
  say(text: string): void {
    for (const { stream } of this.#watchers) stream.write(text);
  }

  /** From now on watches from any version so far get 410 as an ERROR event. */
  forgetVersions(): void {
    this.#version++;
    this.#oldest = this.#version;
  }

  /** Ends all watches in good order. */
  endWatches(): void {
    for (const { stream } of this.#watchers) stream.end();
  }

  /** Cuts all connections. */
  dropConnections(): void {
    for (const session of this.sessions) session.destroy();
  }

  /** Resolves as soon as `condition` holds; looked at after each request and each end of a watch. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiters.add(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // Sessions alone are not enough: one whose streams were never answered keeps its socket.
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #receive(stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>): Promise<void> {
    stream.on("error", () => {});
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of stream) chunks.push(chunk);
    } catch {
      return;
    }
    const url = new URL(String(headers[":path"]), "https://fake");
    const body = Buffer.concat(chunks).toString("utf8");
    const method = String(headers[":method"]);
    const request = { method, path: url.pathname, query: url.searchParams, headers, body };
    this.requests.push(request);
    const index = this.#handlers.findIndex(({ matches }) => matches(request));
    const [special] = index === -1 ? [] : this.#handlers.splice(index, 1);
    if (!stream.destroyed) (special?.handler ?? this.#answer)(stream, request);
    this.#wake();
  }

  readonly #answer: FakeHandler = (stream, { path, query, headers }) => {
    const plural = path.slice(path.lastIndexOf("/") + 1);
    const only = /\/namespaces\/([^/]+)\//.exec(path)?.[1];
    if (query.get("watch") === "1") {
      this.#watch(stream, query, (kind, namespace) => kind === plural && (only ?? namespace) === namespace);
      return;
    }
    const all = [...(this.#objects.get(plural)?.values() ?? [])];
    const items = all.filter(({ metadata }) => only === undefined || metadata.namespace === only);
    const text = JSON.stringify({ metadata: { resourceVersion: String(this.#version) }, items });
    const zip = headers["accept-encoding"] === "gzip";
    stream.respond({ ":status": 200, ...(zip ? { "content-encoding": "gzip" } : {}) });
    stream.end(zip ? gzipSync(text) : text);
  };

  #watch(stream: ServerHttp2Stream, query: URLSearchParams, scope: Watcher["scope"]): void {
    stream.respond({ ":status": 200 });
    if (Number(query.get("resourceVersion")) < this.#oldest) {
      stream.end(`${JSON.stringify({ type: "ERROR", object: statusOf(410, "Expired") })}\n`);
      return;
    }
    const watcher = { stream, scope };
    this.#watchers.add(watcher);
    stream.on("close", () => {
      this.#watchers.delete(watcher);
      this.#wake();
    });
  }

  #stamp(object: FakeObject): FakeObject {
    return { ...object, metadata: Object.assign({}, object.metadata, { resourceVersion: String(this.#version) }) };
  }

  #tell(plural: string, type: string, object: FakeObject): void {
    for (const { stream, scope } of this.#watchers) {
      if (scope(plural, object.metadata.namespace)) stream.write(`${JSON.stringify({ type, object })}\n`);
    }
  }

  #wake(): void {
    for (const wake of this.#waiters) wake();
    this.#waiters.clear();
  }
}

/** A Status object as the API server sends it. */
export function statusOf(code: number, reason: string, message = reason): Readonly<Record<string, unknown>> {
  return { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message };
}

/** Answers with a Status. */
export function refuse(code: number, reason: string, headers: Readonly<Record<string, string>> = {}): FakeHandler {
  return (stream) => {
    stream.respond({ ":status": code, ...headers });
    stream.end(JSON.stringify(statusOf(code, reason)));
  };
}
