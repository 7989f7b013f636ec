/** The simulated API server of src/sandbox with a certificate, and clients that lead to it. */
import { type Clock, systemClock } from "../../src/clock.ts";
import { ApiClient } from "../../src/kube/api-client.ts";
import { type Credentials, staticCredentials } from "../../src/kube/credentials.ts";
import type { Cluster } from "../../src/kube/kubeconfig.ts";
import { TlsClient } from "../../src/kube/tls-client.ts";
import type { HttpRequest } from "../../src/sandbox/api-call.ts";
import { type SandboxApiServer, type SandboxOptions, startSandboxApiServer } from "../../src/sandbox/api-server.ts";
import { makeCertificate } from "./fake-api-server.ts";

/** A running server for a test. Disposing it closes its clients too. */
export interface Sandbox extends AsyncDisposable {
  readonly server: SandboxApiServer;
  /** Every request so far, with the resource version that it named: `list services 0`. */
  readonly calls: readonly string[];
  /** A Cluster that leads there. */
  cluster(credentials?: Credentials): Cluster;
  client(clock?: Clock, credentials?: Credentials): ApiClient;
}

/** Starts one on a free port of 127.0.0.1. Its own time is the system's unless a clock is given. */
export async function startSandbox(options: SandboxOptions = {}, clock: Clock = systemClock): Promise<Sandbox> {
  const stack = new AsyncDisposableStack();
  const { key, cert } = await makeCertificate();
  const calls: string[] = [];
  const onRequest = (http: HttpRequest) => {
    calls.push(callOf(http));
    options.onRequest?.(http);
  };
  const server = stack.use(await startSandboxApiServer(clock, { tls: { key, cert }, ...options, onRequest }));
  const tls = { ca: cert, rejectUnauthorized: true };
  const cluster = (credentials = staticCredentials()): Cluster => ({
    contextName: "sandbox",
    clusterName: "sandbox",
    userName: "me",
    server: new URL(server.origin),
    namespace: undefined,
    tls,
    credentials,
    tlsClient: new TlsClient(tls),
  });
  return {
    server,
    calls,
    cluster,
    client: (clientClock = systemClock, credentials = undefined) =>
      stack.use(new ApiClient({ cluster: cluster(credentials), clock: clientClock }, { version: "test" })),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function callOf({ method, path, query }: HttpRequest): string {
  const verb = method !== "GET" ? method.toLowerCase() : query.get("watch") === "1" ? "watch" : "list";
  return `${verb} ${path.slice(path.lastIndexOf("/") + 1)} ${query.get("resourceVersion") ?? ""}`.trimEnd();
}
