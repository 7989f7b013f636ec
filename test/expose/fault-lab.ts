/** Daemons that expose in a simulated cluster, each with a gate for its faults; the SSH of a pod is its readiness and nothing else. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Duplex, PassThrough } from "node:stream";
import { systemClock } from "../../src/clock.ts";
import { LocalizerError } from "../../src/errors.ts";
import { Exposures } from "../../src/expose/exposures.ts";
import type { ExposeWish, ExposuresSettings } from "../../src/expose/exposures-parts.ts";
import { type RestoreResult, restoreForgotten } from "../../src/expose/forgotten.ts";
import { openLocalSide } from "../../src/expose/local-side.ts";
import { plannedOwners, preflight } from "../../src/expose/preflight.ts";
import type { ExposeLine } from "../../src/expose/report.ts";
import { Discovery } from "../../src/kube/discovery.ts";
import { ObjectCache } from "../../src/kube/object-cache.ts";
import { Objects } from "../../src/kube/objects.ts";
import { Logger } from "../../src/log.ts";
import type { Endpoint } from "../../src/model/endpoint.ts";
import { type ServiceKey, serviceKey } from "../../src/model/service-key.ts";
import type { DialLocal } from "../../src/net/dial-local.ts";
import { startWorkloads, type Workloads } from "../../src/sandbox/cluster/sandbox-cluster.ts";
import type { ConnectSsh } from "../../src/ssh/ssh-connection.ts";
import { MortalClock } from "../support/mortal-clock.ts";
import { type Sandbox, startSandbox } from "../support/sandbox.ts";
import { type EffectPlan, FaultGate, GatedJournal, gatedClient } from "./fault-gate.ts";

/** How long a session of the lab lives without a sign of life: the API counts in seconds. */
const leaseMs = 1_000;

/** A cluster with one exposable Service in each namespace. */
export interface FaultLab extends AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly workloads: Workloads;
  /** Makes Deployment and StatefulSet behind one Service "cart", and waits until they are ready. */
  namespace(name: string): Promise<LabNamespace>;
}

/** One namespace, and a machine of its own on which daemons run one after the other. */
export interface LabNamespace extends Disposable {
  readonly key: ServiceKey;
  /** Where its machine keeps its journal. */
  readonly folder: string;
  /** What must be as before: owners' numbers, labels and annotations. */
  state(): unknown;
  /** What sessions have left: kinds and names, and files of the journal. */
  leftovers(): readonly string[];
  daemon(options?: LabDaemonOptions): LabDaemon;
  /** Another Service with the same pods behind it. */
  secondService(name: string): void;
  /** `localizer restore` of a machine that knows nothing; what it does passes the gate. */
  restore(gate?: FaultGate): Promise<RestoreResult>;
}

/** What happens to it. */
export interface LabDaemonOptions {
  readonly plan?: EffectPlan;
  readonly holder?: string;
  /** On a second machine, with a journal of its own. */
  readonly isElsewhere?: boolean;
  /** Which it exposes; "cart" unless said. */
  readonly service?: string;
  readonly settings?: Partial<ExposuresSettings>;
  /** How local processes are reached; nobody listens unless given. */
  readonly dialLocal?: DialLocal;
  /** Waits between two tries are as short as they can be. */
  readonly hasty?: boolean;
}

/** A daemon. Disposing it frees what a killed one holds in this process; it changes nothing in the cluster. */
export interface LabDaemon extends AsyncDisposable {
  readonly exposures: Exposures;
  readonly gate: FaultGate;
  /** Exposes; the lines end when traffic could flow. */
  exposing(wish?: Partial<ExposeWish>): AsyncIterable<ExposeLine>;
  /** The same; resolves with all lines. */
  expose(wish?: Partial<ExposeWish>): Promise<readonly ExposeLine[]>;
  /** Its own Service unless said. */
  stop(which?: ServiceKey): Promise<void>;
  /** Breaks all its SSH connections. */
  cut(): void;
}

/** Starts one. */
export async function openFaultLab(
  options: Parameters<typeof startWorkloads>[2] = {},
  sandboxOptions: Parameters<typeof startSandbox>[0] = {},
): Promise<FaultLab> {
  const stack = new AsyncDisposableStack();
  const sandbox = stack.use(await startSandbox(sandboxOptions));
  const workloads = stack.use(startWorkloads(sandbox.server, systemClock, options));
  return {
    sandbox,
    workloads,
    namespace: (name) => openNamespace(sandbox, workloads, name),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function openNamespace(sandbox: Sandbox, workloads: Workloads, namespace: string): Promise<LabNamespace> {
  const { server } = sandbox;
  const key = serviceKey(namespace, "cart");
  const folder = mkdtempSync(join(tmpdir(), "localizer-fault-"));
  const second = mkdtempSync(join(tmpdir(), "localizer-second-"));
  const place = (kind: string) => ({ resource: server.resource(kind), namespace });
  server.objects.create(
    { resource: server.resource("namespaces"), namespace: undefined },
    { metadata: { name: namespace } },
  );
  const labels = { app: "cart" };
  const template = (part: string) => ({
    metadata: { labels: { ...labels, part } },
    spec: { containers: [{ name: "app", image: "app", ports: [{ name: "http", containerPort: 8080 }] }] },
  });
  const workload = (part: string, replicas: number) => ({
    metadata: { name: part, annotations: { "team.example/owner": "shop" }, labels: { part } },
    spec: { replicas, selector: { matchLabels: { ...labels, part } }, template: template(part), serviceName: part },
  });
  server.objects.create(place("deployments.apps"), workload("web", 2));
  server.objects.create(place("statefulsets.apps"), workload("db", 1));
  const ports = [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }];
  const service = (name: string) =>
    void server.objects.create(place("services"), { metadata: { name }, spec: { selector: labels, ports } });
  service("cart");
  await workloads.settled();
  const owners = ["deployments.apps", "statefulsets.apps"] as const;
  const ownLabel = "localizer.dev/session";
  return {
    key,
    folder,
    state: () =>
      owners.flatMap((kind) =>
        server.store.list(server.resource(kind), namespace).map(({ metadata, spec }) => ({
          name: metadata.name,
          replicas: Reflect.get(Object(spec), "replicas"),
          labels: metadata.labels,
          annotations: metadata.annotations,
        })),
      ),
    leftovers: () => [
      ...["leases.coordination.k8s.io", "secrets", "pods"].flatMap((kind) =>
        server.store
          .list(server.resource(kind), namespace)
          .filter(({ metadata }) => metadata.labels?.[ownLabel] !== undefined)
          .map(({ metadata }) => `${kind} ${metadata.name}`),
      ),
      ...[folder, second].flatMap((each) => readdirSync(each)).map((file) => `journal ${file}`),
    ],
    daemon: (options = {}) =>
      labDaemon(
        { sandbox, workloads },
        {
          key: serviceKey(namespace, options.service ?? "cart"),
          folder: options.isElsewhere === true ? second : folder,
        },
        options,
      ),
    secondService: service,
    async restore(gate = new FaultGate()) {
      const client = gatedClient(sandbox.client(), gate);
      const components = { objects: new Objects(client), discovery: new Discovery(client), clock: systemClock };
      const signal = AbortSignal.timeout(30_000);
      return await restoreForgotten(components, { namespaces: [namespace] }, { signal, report: () => {}, waitMs: 0 });
    },
    [Symbol.dispose]() {
      for (const each of [folder, second]) rmSync(each, { recursive: true, force: true });
    },
  };
}

function labDaemon(
  { sandbox, workloads }: { readonly sandbox: Sandbox; readonly workloads: Workloads },
  { key, folder }: { readonly key: ServiceKey; readonly folder: string },
  { plan, holder = "me@here", settings = {}, dialLocal = nobody, hasty = false }: LabDaemonOptions,
): LabDaemon {
  const gate = new FaultGate(plan);
  const clock = new MortalClock();
  const client = gatedClient(sandbox.client(), gate);
  const log = new Logger(() => {});
  const cache = new ObjectCache({ client, clock, log });
  const [objects, discovery] = [new Objects(client), new Discovery(client)];
  const seen = { objects, discovery, client };
  const ssh = labSsh(workloads);
  const exposures = new Exposures(
    {
      ...{ objects, discovery, cache, clock, log, ...ssh },
      ...(hasty ? { random: () => 0 } : {}),
      journal: new GatedJournal(folder, gate, false),
      preflight: (wish, signal) => preflight(seen, wish, signal),
      findOwners: (asked, signal) => plannedOwners(seen, asked, signal),
      openSide: (port) => openLocalSide({ clock, dial: dialLocal }, port),
    },
    {
      ...{ server: "https://sandbox/", contextName: "sandbox", clusterName: "sandbox", version: "0.0.0" },
      ...{
        holder,
        leaseMs,
        renewMs: leaseMs / 4,
        startMs: 20_000,
        readyMs: 5_000,
        stopMs: 60_000,
        endMs: 20_000,
        ...settings,
      },
    },
  );
  const drain = async (lines: AsyncIterable<unknown>) => {
    for await (const _line of lines);
  };
  const plain: ExposeWish = {
    ...{ key, maps: [], dryRun: false, isConfirmed: false, takeOver: false },
    ...{ allowVolumeLoss: false, allowPartial: false, pod: {} },
  };
  const exposing = (wish: Partial<ExposeWish> = {}) => exposures.expose({ ...plain, ...wish });
  return {
    exposures,
    gate,
    exposing,
    expose: (wish) => Array.fromAsync(exposing(wish)),
    stop: (which = key) => drain(exposures.stop(which, { wait: true })),
    cut: ssh.cut,
    async [Symbol.asyncDispose]() {
      clock[Symbol.dispose]();
      // What a killed one was reading never comes.
      await Promise.race([cache[Symbol.asyncDispose](), gate.killed]);
    },
  };
}

const nobody: DialLocal = () => Promise.reject(new LocalizerError("refused", "nobody"));

/** A pod is ready as long as a connection to it has its listeners. */
function labSsh(workloads: Workloads) {
  const endpoints = new WeakMap<Duplex, Endpoint>();
  const open = new Set<AbortController>();
  const connectSsh: ConnectSsh = async (transport) => {
    const endpoint = endpoints.get(transport);
    const closed = new AbortController();
    open.add(closed);
    const ready = (is: boolean) => {
      if (endpoint === undefined) return;
      try {
        workloads.setReady(endpoint.pod.namespace, endpoint.pod.name, is);
      } catch {
        // The pod is gone.
      }
    };
    closed.signal.addEventListener("abort", () => ready(false), { once: true });
    return {
      forward: async () => ready(true),
      closed: closed.signal,
      async [Symbol.asyncDispose]() {
        open.delete(closed);
        closed.abort(new LocalizerError("unavailable", "Closed"));
      },
    };
  };
  return {
    connectSsh,
    async dial(endpoint: Endpoint) {
      const transport = new PassThrough();
      endpoints.set(transport, endpoint);
      return transport;
    },
    cut() {
      for (const each of [...open]) {
        open.delete(each);
        each.abort(new LocalizerError("unavailable", "Cut"));
      }
    },
  };
}
