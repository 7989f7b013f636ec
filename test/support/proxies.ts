/** Proxies on 127.0.0.1 as a company runs them: HTTP CONNECT, in plain or inside TLS, and SOCKS5; they may want a login. */
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/** User and password. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

/** The running proxy. Disposing it cuts everything. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  /** Where the tunnels led that were opened, as `host:port`, in order. */
  readonly tunnels: readonly string[];
  /** How often it was asked without a login that it accepts. */
  refusals: number;
}

/** How an HTTP proxy behaves. */
export interface HttpProxyOptions {
  readonly login?: Login;
  /** Speaks TLS itself. */
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer };
  /** The answer to a CONNECT that it grants. */
  readonly answer?: string;
}

const granted = "HTTP/1.1 200 Connection established\r\n\r\n";

/** Starts a proxy for CONNECT, and for nothing else. */
export async function startHttpProxy({ login, tls, answer = granted }: HttpProxyOptions = {}): Promise<Proxy> {
  const server = tls === undefined ? createHttpServer() : createHttpsServer(tls);
  const proxy = await listen(server);
  server.on("connect", (request: IncomingMessage, near: Duplex, head: Buffer) => {
    near.on("error", () => {});
    const wanted =
      login === undefined ? undefined : `Basic ${Buffer.from(`${login.user}:${login.password}`).toString("base64")}`;
    if (wanted !== undefined && request.headers["proxy-authorization"] !== wanted) {
      proxy.refusals++;
      near.end("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    const { hostname, port } = new URL(`http://${request.url}`);
    const refuse = () => near.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    proxy.join(near, hostname.replace(/^\[|\]$/g, ""), Number(port || 80), refuse, () => {
      near.write(answer);
      if (head.length > 0) near.unshift(head);
    });
  });
  return proxy;
}

/** Starts a SOCKS5 proxy. Unlike the client's side it believes what it reads, and that each message comes in one piece. */
export async function startSocksProxy({ login }: { login?: Login } = {}): Promise<Proxy> {
  const server = createServer();
  const proxy = await listen(server);
  server.on("connection", (near: Socket) => {
    near.on("error", () => {});
    void (async () => {
      const methods = await message(near);
      const method = login === undefined ? 0 : 2;
      const isOffered = methods.subarray(2).includes(method);
      if (!isOffered) proxy.refusals++;
      near.write(Buffer.from([5, isOffered ? method : 255]));
      if (login !== undefined && isOffered) {
        const text = await message(near);
        const user = text.subarray(2, 2 + (text[1] ?? 0));
        const password = text.subarray(3 + user.length);
        const isRight = String(user) === login.user && String(password) === login.password;
        if (!isRight) proxy.refusals++;
        near.write(Buffer.from([1, isRight ? 0 : 1]));
        if (!isRight) return;
      }
      const request = await message(near);
      const port = request.readUInt16BE(request.length - 2);
      const refuse = () => near.end(Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0]));
      proxy.join(near, hostOf(request), port, refuse, () => near.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 1, 1])));
    })();
  });
  return proxy;
}

function hostOf(request: Buffer): string {
  const host = request.subarray(4, -2);
  if (request[3] === 1) return host.join(".");
  if (request[3] === 3) return String(host.subarray(1));
  return (host.toString("hex").match(/.{4}/g) ?? []).join(":");
}

function message(socket: Socket): Promise<Buffer> {
  return new Promise((resolve) => {
    socket.once("data", (bytes: Buffer) => {
      socket.pause();
      resolve(bytes);
    });
    socket.resume();
  });
}

async function listen(server: Server) {
  const sockets = new Set<Duplex>();
  const keep = (socket: Duplex) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };
  server.on("connection", keep);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  const tunnels: string[] = [];
  return {
    port: address.port,
    tunnels,
    refusals: 0,
    /** Connects, says so, and copies both ways. */
    join(near: Duplex, host: string, port: number, refuse: () => void, grant: () => void) {
      tunnels.push(`${host}:${port}`);
      const far = connect(port, host);
      keep(far);
      far.once("error", refuse);
      near.once("close", () => far.destroy());
      far.once("connect", () => {
        far.setNoDelay(true);
        grant();
        far.once("close", () => near.destroy());
        far.pipe(near).pipe(far);
      });
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
