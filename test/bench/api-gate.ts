/**
 * A TCP relay before the API server that can shut out API calls and let port-forwards through: it tells them apart by the
 * protocol that the client offers in its TLS greeting (ALPN, RFC 7301): upgrades are HTTP/1.1 and never offer h2.
 */
import { connect, createServer, type Socket } from "node:net";

/** Disposing cuts everything. */
export interface ApiGate extends AsyncDisposable {
  readonly port: number;
  /** Bytes that came back to API clients so far. */
  readonly apiBytes: number;
  /** API connections that found it shut. */
  readonly refused: number;
  /** Cuts API connections, and new ones until it is opened again. */
  shut(): void;
  open(): void;
}

/** Opens it. */
export async function openApiGate(host: string, port: number): Promise<ApiGate> {
  const all = new Set<Socket>();
  const api = new Set<Socket>();
  let [isShut, apiBytes, refused] = [false, 0, 0];
  const server = createServer({ noDelay: true }, (near) => {
    keep(near, all);
    near.once("data", (hello: Buffer) => {
      const isApi = offersHttp2(hello);
      if (isApi && isShut) {
        refused++;
        near.destroy();
        return;
      }
      if (isApi) keep(near, api);
      const far = connect({ host, port, noDelay: true });
      keep(far, all);
      far.on("close", () => near.destroy());
      near.on("close", () => far.destroy());
      far.on("data", (bytes) => {
        if (isApi) apiBytes += bytes.length;
      });
      far.write(hello);
      near.pipe(far).pipe(near);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The gate has no port");
  return {
    port: address.port,
    get apiBytes() {
      return apiBytes;
    },
    get refused() {
      return refused;
    },
    shut() {
      isShut = true;
      for (const socket of api) socket.destroy();
    },
    open() {
      isShut = false;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of all) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Whether a TLS ClientHello offers HTTP/2: the ALPN extension has the name with its length before it. Pure. */
export function offersHttp2(hello: Buffer): boolean {
  return hello.includes("\x02h2");
}

function keep(socket: Socket, set: Set<Socket>): void {
  set.add(socket);
  socket.on("error", () => {});
  socket.on("close", () => set.delete(socket));
}
