/** A daemon that has no cluster: the real server on a socket in a folder of its own, over a state made by hand. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../src/clock.ts";
import { LocalizerError } from "../../src/errors.ts";
import { type LogEntry, Logger } from "../../src/log.ts";
import type { DaemonState, ServiceRow } from "../../src/server/daemon-state.ts";
import { type GrpcServer, openGrpcServer } from "../../src/server/grpc-server.ts";

/** A folder that is removed when it goes out of scope. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "localizer-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** What a daemon says of its cluster. */
export const someCluster: Omit<DaemonState, "list" | "isStable" | "stop"> = {
  cluster: () => ({
    context: "kind",
    cluster: "kind-kind",
    server: "https://127.0.0.1:6443/",
    namespace: "",
    namespaces: [],
    portForwardEngine: "post-spdy",
  }),
  notices: () => [],
  leftOut: () => [],
  selector: () => "",
  stats: () => [],
  expose: refuses,
  stopExpose: refuses,
  exposures: () => [],
  workloadEnvironment: async () => refuses(),
  stopping: new AbortController().signal,
};

/** What a daemon says whose state does not expose. */
function refuses(): never {
  throw new LocalizerError("not-found", "This daemon exposes nothing");
}

/** A row with something in every field. */
export const cart: ServiceRow = {
  namespace: "shop",
  name: "cart",
  status: "running",
  endpoint: "cart-7d9f-abcde",
  statusReason: "",
  ip: "127.1.2.3",
  ports: ["80/TCP", "9090/TCP"],
  names: ["cart.shop.svc.cluster.local", "cart.shop.svc"],
  skippedNames: [{ name: "cart.shop", reason: '"shop" is a top-level domain' }],
  portRows: [
    {
      port: 80,
      status: "running",
      reason: "",
      listen: "127.1.2.3:80",
      readyPods: 2,
      connections: 1,
      lastError: "",
    },
  ],
  pods: [{ hostname: "cart-0", ip: "127.1.2.4", names: ["cart-0.cart.shop.svc"], ports: [] }],
  namesPending: false,
};

/** A row of a Service without a tunnel. */
export const ledger: ServiceRow = {
  namespace: "bank",
  name: "ledger",
  status: "denied",
  endpoint: "",
  statusReason: 'No right to "create" pods/portforward in "bank"',
  ip: "",
  ports: [],
  names: [],
  skippedNames: [],
  portRows: [],
  pods: [],
  namesPending: false,
};

/** What `openFakeDaemon` gives: the server, and what happened. */
export interface FakeDaemon extends AsyncDisposable {
  readonly socketPath: string;
  readonly server: GrpcServer;
  readonly logged: readonly LogEntry[];
}

/** Opens one; parts of its state may be replaced. */
export async function openFakeDaemon(
  state: Partial<DaemonState> = {},
  options: { readonly graceMs?: number; readonly clock?: Clock } = {},
): Promise<FakeDaemon> {
  const folder = temporaryFolder();
  const socketPath = join(folder.path, "run", "localizer.sock");
  const logged: LogEntry[] = [];
  const server = await openGrpcServer({
    socketPath,
    state: { ...someCluster, list: () => [cart, ledger], isStable: () => true, stop: async () => {}, ...state },
    log: new Logger((entry) => logged.push(entry)),
    ...options,
  });
  return {
    socketPath,
    server,
    logged,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    },
  };
}
