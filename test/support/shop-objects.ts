/** Objects of namespace "shop" for a fake API server: a Service "cart", workloads whose pods it selects, and their pods. */

import { Discovery } from "../../src/kube/discovery.ts";
import { Objects } from "../../src/kube/objects.ts";
import { type FakeKubeOptions, fakeKube } from "./fake-kube.ts";

type Json = Readonly<Record<string, unknown>>;

/** Who owns an object. */
export interface OwnedBy {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Default: true. */
  readonly controller?: boolean;
}

/** What may be said of an object beside its kind and name. */
export interface ShopOptions {
  readonly owner?: OwnedBy;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly metadata?: Json;
  readonly spec?: Json;
  readonly status?: Json;
}

/** The labels that Service "cart" selects. */
export const cartLabels = { app: "cart" };

/** Any object; its uid is `uid-KIND-NAME`. */
export function shopObject(apiVersion: string, kind: string, name: string, options: ShopOptions = {}) {
  const { owner, labels, annotations, metadata, spec = {}, status } = options;
  const { controller = true, ...reference } = owner ?? { apiVersion: "", kind: "", name: "" };
  const ownerReferences = [{ ...reference, controller, uid: uidOf(reference.kind, reference.name) }];
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace: "shop",
      uid: uidOf(kind, name),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(owner === undefined ? {} : { ownerReferences }),
      ...metadata,
    },
    spec,
    ...(status === undefined ? {} : { status }),
  };
}

/** Service "cart": port 80, named http, to 8080. */
export function cartService(spec: Json = {}) {
  const ports = [{ name: "http", port: 80, targetPort: 8080 }];
  return shopObject("v1", "Service", "cart", { spec: { selector: cartLabels, ports, ...spec } });
}

/** A workload of apps/v1 with a template for pods of "cart". */
export function workload(
  kind: string,
  name: string,
  options: ShopOptions & { readonly podSpec?: Json; readonly podMetadata?: Json } = {},
) {
  const { podSpec = {}, podMetadata = {}, ...rest } = options;
  const template = { metadata: { labels: cartLabels, ...podMetadata }, spec: { containers: [], ...podSpec } };
  const spec = { selector: { matchLabels: cartLabels }, template, ...rest.spec };
  return shopObject("apps/v1", kind, name, { ...rest, spec });
}

/** A running pod of "cart". */
export function cartPod(name: string, options: ShopOptions = {}) {
  return shopObject("v1", "Pod", name, { labels: cartLabels, status: { phase: "Running" }, ...options });
}

/** Deployment, ReplicaSet and a pod, all called by that name. */
export function deployed(name: string, options: Parameters<typeof workload>[2] = {}): readonly object[] {
  const hash = { ...cartLabels, "pod-template-hash": "1" };
  return [
    workload("Deployment", name, options),
    workload("ReplicaSet", `${name}-1`, {
      owner: { apiVersion: "apps/v1", kind: "Deployment", name },
      spec: { replicas: 2, selector: { matchLabels: hash } },
    }),
    cartPod(`${name}-1-a`, { owner: { apiVersion: "apps/v1", kind: "ReplicaSet", name: `${name}-1` }, labels: hash }),
  ];
}

/** What reads from a fake API server with these objects. */
export function shopComponents(options: FakeKubeOptions) {
  const client = fakeKube(options);
  return { client, objects: new Objects(client), discovery: new Discovery(client), calls: client.calls };
}

function uidOf(kind: string, name: string): string {
  return `uid-${kind}-${name}`;
}
