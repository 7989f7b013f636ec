/** An API server of which only pods/portforward is there: it reads a request's head and leaves the answer to the test. */
import { createServer, type Socket } from "node:net";
import { staticCredentials } from "../../src/kube/credentials.ts";
import type { Cluster } from "../../src/kube/kubeconfig.ts";

/** The answer to an upgrade that succeeds. */
export const switching = [
  "HTTP/1.1 101 Switching Protocols",
  "Connection: Upgrade",
  "Upgrade: SPDY/3.1",
  "X-Stream-Protocol-Version: portforward.k8s.io",
  "\r\n",
].join("\r\n");

/** One request that came in. */
export interface UpgradeRequest {
  /** The request line and the headers, as they came. */
  readonly head: string;
  readonly socket: Socket;
}

/** The server and a Cluster that leads to it. Disposing it closes every connection. */
export interface UpgradeServer extends AsyncDisposable {
  readonly cluster: Cluster;
  /** Requests so far. */
  readonly requests: readonly UpgradeRequest[];
  /** Resolves with the first request. */
  readonly first: Promise<UpgradeRequest>;
}

/** Listens on 127.0.0.1, in plain; `path` is the server URL's path. */
export async function openUpgradeServer(
  answer: (request: UpgradeRequest) => void,
  { path = "", cluster = {} }: { path?: string; cluster?: Partial<Cluster> } = {},
): Promise<UpgradeServer> {
  const sockets = new Set<Socket>();
  const requests: UpgradeRequest[] = [];
  const first = Promise.withResolvers<UpgradeRequest>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    let head = "";
    socket.on("data", function read(chunk: Buffer) {
      head += chunk.toString("latin1");
      if (!head.endsWith("\r\n\r\n")) return;
      socket.off("data", read);
      const request = { head, socket };
      requests.push(request);
      first.resolve(request);
      answer(request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  if (at === null || typeof at === "string") throw new Error("the server has no port");
  return {
    requests,
    first: first.promise,
    cluster: {
      contextName: "test",
      clusterName: "test",
      userName: "test",
      server: new URL(`http://127.0.0.1:${at.port}${path}`),
      namespace: undefined,
      tls: { rejectUnauthorized: true },
      credentials: staticCredentials(),
      ...cluster,
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An HTTP answer with a body. */
export function httpAnswer(status: string, body: string): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}
