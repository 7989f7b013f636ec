/**
 * A simulated API server with namespace "shop" in it, for tests of what sessions write there: objects in a line each, a clock that
 * stands still, and word of every write that came in.
 */
import { type Clock, systemClock } from "../../src/clock.ts";
import { LocalizerError } from "../../src/errors.ts";
import { labels, type RecordedOwner, type SessionRecord } from "../../src/expose/records.ts";
import type { ExposeLine, Report } from "../../src/expose/report.ts";
import { Discovery } from "../../src/kube/discovery.ts";
import { numberAt, textsAt } from "../../src/kube/json.ts";
import { Objects } from "../../src/kube/objects.ts";
import { serviceKey } from "../../src/model/service-key.ts";
import type { ApiCall, HttpRequest } from "../../src/sandbox/api-call.ts";
import type { ApiObject, ObjectDraft, ResourceDefinition } from "../../src/sandbox/api-object.ts";
import type { SandboxApiServer, SandboxOptions } from "../../src/sandbox/api-server.ts";
import type { Fault, Matches } from "../../src/sandbox/faults.ts";
import { FakeClock } from "./fake-clock.ts";
import { type Sandbox, startSandbox } from "./sandbox.ts";

/** Names of sessions. */
export const sessions = {
  alice: "0a1b2c3d-0000-4000-8000-000000000001",
  bob: "bbbbbbbb-0000-4000-8000-000000000002",
  carol: "cccccccc-0000-4000-8000-000000000003",
} as const;

/** The Service that is exposed. */
export const cart = serviceKey("shop", "cart");

/** A kind whose replicas only /scale knows. */
const widgets: ResourceDefinition = {
  group: "example.com",
  version: "v1",
  plural: "widgets",
  kind: "Widget",
  namespaced: true,
  scale: true,
};

/** Alice's record of "shop/cart", with no owner; any part of it can be another. */
export function exampleRecord(parts: Partial<SessionRecord> = {}): SessionRecord {
  return {
    session: sessions.alice,
    key: cart,
    holder: "alice@laptop",
    since: "2026-01-31T10:02:00.000Z",
    phase: "exposed",
    owners: [],
    version: "1.2.3",
    ...parts,
  };
}

/** An owner that nothing in any cluster stands for. */
export function exampleOwner(parts: Partial<RecordedOwner> = {}): RecordedOwner {
  const kind = { group: "apps", version: "v1", plural: "deployments", kind: "Deployment" };
  return { ...kind, namespace: "shop", name: "cart", uid: "uid-of-cart", replicas: 3, scaleBy: "spec", ...parts };
}

/** Keeps what is reported. */
export function keptLines(): { readonly report: Report; readonly lines: readonly ExposeLine[] } {
  const lines: ExposeLine[] = [];
  return { report: (line) => lines.push(line), lines };
}

/** Moves the clock on whenever somebody sleeps, until the work is done; gives or throws what that does. */
export async function finished<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = work.then(
    () => {
      isOver = true;
    },
    () => {
      isOver = true;
    },
  );
  for (;;) {
    const ms = await Promise.race([over, clock.asleep()]);
    if (isOver || ms === undefined) return await work;
    await clock.advance(ms);
  }
}

/** Takes requests of this verb for this kind, for `faults.onRequest`. */
export function calling(verb: ApiCall["verb"], plural: string, subresource?: "scale"): Matches {
  return (call) => call?.verb === verb && call.resource.plural === plural && call.subresource === subresource;
}

/** How an object is to be. */
export interface LabObject {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** The server, and ways to fill it. */
export class ExposeLab implements AsyncDisposable {
  readonly clock = new FakeClock();
  /** Every write so far: `PATCH deployments/cart`, `PUT widgets/a/scale`; dry runs with a `?`. */
  readonly writes: string[] = [];
  readonly #sandbox: Sandbox;
  readonly objects: Objects;
  readonly discovery: Discovery;
  #silent = { group: "", times: 0 };

  private constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
    const client = sandbox.client();
    this.objects = new Objects(client);
    this.discovery = new Discovery({
      request: (request) => {
        const { group, times } = this.#silent;
        if (times === 0 || !request.path.startsWith(`/apis/${group}/`)) return client.request(request);
        this.#silent = { group, times: times - 1 };
        return Promise.reject(new LocalizerError("unavailable", `Cannot get ${request.path}`));
      },
    });
  }

  /** Starts it. Its own time is the system's. */
  static async open(options: SandboxOptions = {}): Promise<ExposeLab> {
    const told: { onRequest?: (http: HttpRequest) => void } = {};
    const lab = new ExposeLab(
      await startSandbox({
        namespaces: ["shop", "bank"],
        resources: [widgets],
        ...options,
        onRequest: (http) => told.onRequest?.(http),
      }),
    );
    told.onRequest = (http) => {
      options.onRequest?.(http);
      lab.#note(http);
    };
    return lab;
  }

  get server(): SandboxApiServer {
    return this.#sandbox.server;
  }

  /** What sessions are worked with: the fake clock, and waits that are as long as they can be. */
  get components() {
    return { objects: this.objects, discovery: this.discovery, clock: this.clock, random: () => 1 };
  }

  /** Another client of the server, for watches. */
  client(clock: Clock = systemClock) {
    return this.#sandbox.client(clock);
  }

  /** Makes an object of the kind ("pods", "deployments.apps"). */
  add(kind: string, name: string, object: LabObject = {}, namespace = "shop"): ApiObject {
    const { labels: marks, annotations, ...rest } = object;
    const metadata = {
      name,
      ...(marks === undefined ? {} : { labels: marks }),
      ...(annotations === undefined ? {} : { annotations }),
    };
    return this.server.objects.create(this.#place(kind, namespace), { metadata, ...rest });
  }

  /** Makes a Deployment, set to so many; gives it as a session records it. */
  deployment(name: string, replicas: number, annotations: Readonly<Record<string, string>> = {}): RecordedOwner {
    const { metadata } = this.add("deployments.apps", name, { annotations, spec: { replicas } });
    return exampleOwner({ name, uid: metadata.uid, replicas });
  }

  /** As `deployment`, of a kind that is scaled by its subresource. */
  widget(name: string, replicas: number, annotations: Readonly<Record<string, string>> = {}): RecordedOwner {
    const { metadata } = this.add("widgets.example.com", name, { annotations, spec: { replicas } });
    const { group, version, plural, kind } = widgets;
    return { ...exampleOwner({ name, uid: metadata.uid, replicas, scaleBy: "scale" }), group, version, plural, kind };
  }

  /** Makes Service "cart", which selects `app: cart`. */
  service(spec: Readonly<Record<string, unknown>> = {}): ApiObject {
    const ports = [{ name: "http", port: 80, targetPort: 8080 }];
    return this.add("services", "cart", { spec: { selector: { app: "cart" }, ports, ...spec } });
  }

  /** Makes a pod. Of a session if one is given. */
  pod(name: string, session?: string, more: LabObject = {}): ApiObject {
    const marks = session === undefined ? {} : { [labels.managedBy]: "localizer", [labels.session]: session };
    const spec = { containers: [{ name: "sshd" }], ...more.spec };
    return this.add("pods", name, { ...more, labels: { app: "cart", ...marks, ...more.labels }, spec });
  }

  /** Makes, or makes anew, the slice that leads from "cart" to these pods. */
  slice(pods: readonly { readonly pod: ApiObject; readonly ready?: boolean }[]): void {
    const place = this.#place("endpointslices.discovery.k8s.io", "shop");
    const endpoints = pods.map(({ pod: { metadata }, ready = true }, index) => ({
      addresses: [`10.0.0.${index + 1}`],
      conditions: { ready },
      targetRef: { kind: "Pod", namespace: "shop", name: metadata.name, uid: metadata.uid },
    }));
    if (this.find("endpointslices.discovery.k8s.io", "cart-1") !== undefined) {
      this.server.objects.patch(place, "cart-1", { endpoints });
      return;
    }
    const metadata = { name: "cart-1", labels: { "kubernetes.io/service-name": "cart" } };
    this.server.objects.create(place, { metadata, addressType: "IPv4", ports: [], endpoints });
  }

  /** The object as it is now, or undefined. */
  find(kind: string, name: string, namespace = "shop"): ApiObject | undefined {
    return this.server.store.get(this.server.resource(kind), namespace, name);
  }

  /** Names of the objects of a kind. */
  names(kind: string): readonly string[] {
    return this.server.store.list(this.server.resource(kind)).map(({ metadata }) => metadata.name);
  }

  /** Replicas and annotations of an owner. */
  owner({ group, plural, name }: Pick<RecordedOwner, "group" | "plural" | "name">) {
    const found = this.find(`${plural}.${group}`, name);
    return { replicas: numberAt(found, "spec", "replicas"), annotations: textsAt(found, "metadata", "annotations") };
  }

  /** Somebody else's merge patch. */
  patch(kind: string, name: string, patch: ObjectDraft, manager?: string): ApiObject {
    return this.server.objects.patch(this.#place(kind, "shop"), name, patch, { manager });
  }

  /** Somebody else deletes it. */
  remove(kind: string, name: string): void {
    this.server.objects.delete(this.#place(kind, "shop"), name, {}, { gracePeriodSeconds: 0 });
  }

  /** Lets the next requests that match fail; once unless said. */
  fail(matches: Matches, fault: Fault, times = 1): void {
    this.server.faults.onRequest(matches, fault, times);
  }

  /** Lets a group not say, so many times, what it serves. */
  failDiscovery(group: string, times = 1): void {
    this.#silent = { group, times };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sandbox[Symbol.asyncDispose]();
  }

  #place(kind: string, namespace: string) {
    return { resource: this.server.resource(kind), namespace };
  }

  #note({ method, path, query }: HttpRequest): void {
    if (method === "GET") return;
    const what = path.replace(/^\/apis?\/.*?\/namespaces\/[^/]+\//, "");
    this.writes.push(`${method} ${what}${query.has("dryRun") ? "?" : ""}`);
  }
}
