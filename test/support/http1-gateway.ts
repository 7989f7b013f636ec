/**
 * A gateway before an API server as Rancher's or a company's: ends TLS with a certificate of its own, speaks HTTP/1.1
 * only, serves the API below a path, and passes on who asks by their `Authorization` alone.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { createServer, request } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect } from "node:tls";

/** The path that the API is served below. */
export const gatewayPath = "/k8s/clusters/c-1";

/** The running gateway. Disposing it cuts everything. */
export interface Gateway extends AsyncDisposable {
  readonly port: number;
  /** How many connections were made to it. */
  readonly connections: () => number;
  /** Upgrades that went through. */
  readonly upgrades: () => number;
}

/**
 * Starts one on 127.0.0.1 in front of `server`, whose certificate `ca` signed. Upgrades that `refuses` says yes to get a
 * page of the gateway's own.
 */
export async function startHttp1Gateway(
  server: URL,
  ca: Buffer,
  tls: { readonly key: Buffer; readonly cert: Buffer },
  refuses: (headers: IncomingHttpHeaders) => boolean = () => false,
): Promise<Gateway> {
  const sockets = new Set<Duplex>();
  const keep = (socket: Duplex) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };
  let connections = 0;
  let upgrades = 0;
  const own = (url = "") => (url.startsWith(`${gatewayPath}/`) ? url.slice(gatewayPath.length) : "/not-the-api");
  const gateway = createServer({ ...tls, ALPNProtocols: ["http/1.1"] });
  gateway.on("connection", keep);
  gateway.on("secureConnection", () => connections++);
  gateway.on("request", (message: IncomingMessage, response: ServerResponse) => {
    const { method, headers } = message;
    const call = request(server, { ca, path: own(message.url), method, headers: { ...headers, host: server.host } });
    call.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
    });
    call.on("socket", keep);
    call.on("error", () => response.destroy());
    response.on("close", () => call.destroy());
    message.pipe(call);
  });
  gateway.on("upgrade", (message: IncomingMessage, near: Socket, head: Buffer) => {
    keep(near);
    if (refuses(message.headers)) {
      near.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 22\r\n\r\n<html>Not here.</html>");
      return;
    }
    upgrades++;
    const far = connect({ host: server.hostname, port: Number(server.port), ca, ALPNProtocols: ["http/1.1"] }, () => {
      const lines = Object.entries({ ...message.headers, host: server.host }).map(
        ([name, value]) => `${name}: ${value}`,
      );
      far.write(`${message.method} ${own(message.url)} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      far.write(head);
      far.pipe(near).pipe(far);
    });
    far.setNoDelay(true);
    keep(far);
    far.on("close", () => near.destroy());
    near.on("close", () => far.destroy());
  });
  await new Promise<void>((resolve) => gateway.listen(0, "127.0.0.1", resolve));
  const address = gateway.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  return {
    port: address.port,
    connections: () => connections,
    upgrades: () => upgrades,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => gateway.close(() => resolve()));
    },
  };
}
