/**
 * A session of "shop/cart" that has been started in an ExposeLab, ready to be kept: with real watches, controllers of a few lines (pods
 * that run at once, Deployments that have their pods, a slice that has the Service's), a connection that a test can lose, and a
 * clock that stands still.
 */
import { systemClock } from "../../src/clock.ts";
import { LocalizerError } from "../../src/errors.ts";
import { Journal } from "../../src/expose/journal.ts";
import type { ExposePlan, PlannedOwner } from "../../src/expose/plan.ts";
import { podOptions } from "../../src/expose/pod-options.ts";
import { recordedOwner } from "../../src/expose/records.ts";
import { type KeeperEnd, type Kept, keepSession } from "../../src/expose/session-keeper.ts";
import type { SessionComponents, SessionHoldings, SessionSettings } from "../../src/expose/session-parts.ts";
import { followSessionPods } from "../../src/expose/session-pod.ts";
import { startSession } from "../../src/expose/session-start.ts";
import { numberAt, textAt, textsAt } from "../../src/kube/json.ts";
import { ObjectCache } from "../../src/kube/object-cache.ts";
import { silentLogger } from "../../src/log.ts";
import type { Endpoint } from "../../src/model/endpoint.ts";
import type { ObjectMeta } from "../../src/sandbox/api-object.ts";
import type { SandboxOptions } from "../../src/sandbox/api-server.ts";
import type { SshConnection, SshIdentity } from "../../src/ssh/ssh-connection.ts";
import { duplexPair } from "./duplex-pair.ts";
import { turns } from "./event-loop.ts";
import { ExposeLab, exampleRecord, finished, keptLines } from "./expose-lab.ts";
import { examplePlan, exposedPort } from "./expose-plan.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A connection to a pod, as it was made. */
export interface LabConnection {
  readonly pod: string;
  readonly identity: SshIdentity;
  readonly ports: readonly number[];
  /** The far side goes away. */
  lose(): void;
}

/** How the session is. */
export interface KeeperLabOptions {
  /** The owner's replicas; no owner when absent. */
  readonly replicas?: number;
  readonly ports?: ExposePlan["ports"];
  /** The user's own, for the pod. */
  readonly podLabels?: Readonly<Record<string, string>>;
  readonly sandbox?: SandboxOptions;
}

const settings: Omit<SessionSettings, "pod"> = {
  server: "https://sandbox",
  leaseMs: 60_000,
  renewMs: 15_000,
  startMs: 60_000,
};

/** The session and what is around it. */
export class KeeperLab implements AsyncDisposable {
  readonly lab: ExposeLab;
  readonly components: SessionComponents;
  readonly holdings: SessionHoldings;
  readonly settings: SessionSettings;
  /** All that were made, the first one at the start. */
  readonly connections: LabConnection[] = [];
  /** States with their reasons, each told when it differs from the one before. */
  readonly states: string[] = [];
  readonly lines = keptLines();
  /** Called before each dial; what it throws is what the dial fails with. */
  onDial: (endpoint: Endpoint) => void = () => {};
  /** What is found when owners are looked for again. */
  owners: readonly PlannedOwner[] = [];
  /** Who cannot be scaled, as it is found then. */
  closed: readonly string[] = [];
  /** Whether new pods come to run. */
  podsRun = true;
  readonly #stop = new AbortController();
  readonly #stack = new AsyncDisposableStack();

  private constructor(lab: ExposeLab, plan: ExposePlan, podLabels: Readonly<Record<string, string>>) {
    this.lab = this.#stack.use(lab);
    this.settings = { ...settings, pod: podOptions({ labels: podLabels }, "0.0.0") };
    const folder = temporaryFolder();
    this.#stack.defer(() => folder[Symbol.dispose]());
    this.#stack.use(runControllers(lab, () => this.podsRun));
    const parts = { client: lab.client(), clock: systemClock, log: silentLogger() };
    const cache = this.#stack.use(new ObjectCache(parts));
    this.components = {
      ...lab.components,
      cache,
      log: silentLogger(),
      journal: new Journal(folder.path, { self: {}, isRunning: async () => false }),
      findOwners: async () => ({ owners: this.owners, closed: this.closed }),
      dial: async (endpoint) => {
        this.onDial(endpoint);
        this.#dialled = endpoint.pod.name;
        return duplexPair().near;
      },
      connectSsh: async (_transport, identity) => this.#connect(identity),
    };
    const record = exampleRecord({ phase: "starting", owners: plan.owners.map(recordedOwner) });
    const pods = this.#stack.use(followSessionPods(cache, record));
    const ports = plan.ports.map(({ remote }) => ({ remote, take: () => {}, refused: () => {} }));
    this.holdings = { plan, ports, mates: () => [record.session], pods, record, attempts: 0 };
  }

  /** Starts the session. */
  static async open({ replicas, ports = [exposedPort(8080)], podLabels = {}, sandbox = {} }: KeeperLabOptions = {}) {
    const lab = await ExposeLab.open(sandbox);
    lab.service();
    const owners = replicas === undefined ? [] : [{ ...lab.deployment("cart", replicas), adopts: false }];
    const keeper = new KeeperLab(lab, examplePlan({ owners, ports }), podLabels);
    const options = { signal: keeper.#stop.signal, report: keptLines().report };
    await finished(lab.clock, startSession(keeper.components, keeper.settings, keeper.holdings, options));
    lab.writes.length = 0;
    return keeper;
  }

  /** Keeps it from now on; gives the end. */
  keep(): Promise<KeeperEnd> {
    const onState = ({ state, reason }: Kept) => {
      const text = reason === "" ? state : `${state}: ${reason}`;
      if (this.states.at(-1) !== text) this.states.push(text);
    };
    const options = { signal: this.#stop.signal, onState, report: this.lines.report };
    return keepSession(this.components, this.settings, this.holdings, options);
  }

  /** As `keep`, and waits until it is in full swing: all watches are there, and nothing is to be done. */
  async kept(): Promise<{ readonly end: Promise<KeeperEnd> }> {
    const end = this.keep();
    // Pods, Services and slices.
    await this.until(() => this.lab.server.watches === 3);
    await this.state("exposed");
    return { end };
  }

  /** Ends the keeping. */
  stop(): void {
    this.#stop.abort(new LocalizerError("aborted", "Stopped"));
  }

  /** Until the condition holds; whoever sleeps to try again is woken in time. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const [shortest] = this.lab.clock.sleeps;
      if (shortest === undefined) await turns(1);
      else await this.lab.clock.advance(shortest);
    }
  }

  /** Until the last state is that. */
  async state(wanted: string | RegExp): Promise<void> {
    await this.until(() => {
      const last = this.states.at(-1) ?? "";
      return typeof wanted === "string" ? last === wanted : wanted.test(last);
    });
  }

  /** Messages of the lines so far that are no infos. */
  get warnings(): readonly string[] {
    return this.lines.lines.filter(({ level }) => level !== "info").map(({ message }) => message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.holdings.heartbeat?.[Symbol.asyncDispose]();
    await this.#stack.disposeAsync();
  }

  #dialled = "";

  #connect(identity: SshIdentity): SshConnection {
    const closed = new AbortController();
    const ports: number[] = [];
    const lose = () => closed.abort(new LocalizerError("unavailable", "The connection was lost"));
    this.connections.push({ pod: this.#dialled, identity, ports, lose });
    return {
      closed: closed.signal,
      forward: async (port) => {
        ports.push(port);
      },
      [Symbol.asyncDispose]: async () => closed.abort(new LocalizerError("aborted", "Closed")),
    };
  }
}

/** What the controllers and the kubelet of a cluster do, as far as namespace "shop" and its one Service need it. */
function runControllers({ server }: ExposeLab, podsRun: () => boolean): Disposable {
  const place = (kind: string) => ({ resource: server.resource(kind), namespace: "shop" });
  const [pods, slices] = [place("pods"), place("endpointslices.discovery.k8s.io")];
  const list = (kind: string) => server.store.list(server.resource(kind), "shop");
  const scale = () => {
    for (const { metadata, spec } of list("deployments.apps")) {
      const labels = { app: "cart", workload: metadata.name };
      const own = list("pods").filter((pod) => pod.metadata.labels?.workload === metadata.name);
      const missing = (numberAt(spec, "replicas") ?? 1) - own.length;
      for (const pod of own.slice(0, Math.max(0, -missing))) server.objects.delete(pods, pod.metadata.name);
      for (let index = 0; index < missing; index++) {
        const draft = { generateName: `${metadata.name}-`, labels };
        // The server makes the name.
        server.objects.create(pods, {
          metadata: draft as Partial<ObjectMeta>,
          spec: { containers: [{ name: "app" }] },
        });
      }
    }
  };
  const run = () => {
    const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
    for (const { metadata, status: now } of list("pods")) {
      const isPending = textAt(now, "phase") === "Pending";
      if (isPending && podsRun()) server.objects.patch(pods, metadata.name, { status }, { subresource: "status" });
    }
  };
  const lead = () => {
    const selector = textsAt(list("services")[0], "spec", "selector");
    const endpoints = list("pods")
      .filter(({ metadata }) => Object.entries(selector).every(([label, value]) => metadata.labels?.[label] === value))
      .map(({ metadata: { name, uid }, status }) => ({
        addresses: ["10.0.0.1"],
        conditions: { ready: textAt(status, "phase") === "Running" },
        targetRef: { kind: "Pod", namespace: "shop", name, uid },
      }));
    const metadata = { name: "cart-1", labels: { "kubernetes.io/service-name": "cart" } };
    const isThere = server.store.get(slices.resource, "shop", "cart-1") !== undefined;
    if (isThere) server.objects.patch(slices, "cart-1", { endpoints });
    else server.objects.create(slices, { metadata, addressType: "IPv4", ports: [], endpoints });
  };
  let isDue = false;
  const look = () => {
    isDue = false;
    scale();
    run();
    lead();
  };
  // Later, as controllers do: a watch must not hear of the answer before the question.
  const subscription = server.store.subscribe(({ resource }) => {
    if (isDue || !["pods", "deployments", "services"].includes(resource.plural)) return;
    isDue = true;
    setImmediate(look);
  });
  look();
  return subscription;
}
