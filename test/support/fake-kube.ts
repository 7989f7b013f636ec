/**
 * An API server of a few lines for units: it holds objects, lists them by labels, answers discovery, /scale and access reviews, and
 * denies what it is told to. Nothing can be changed in it.
 */

import { type ErrorCode, LocalizerError } from "../../src/errors.ts";
import type { ApiRequest } from "../../src/kube/api-client.ts";
import { ApiStatus } from "../../src/kube/api-status.ts";
import { at, numberAt, textAt, textsAt } from "../../src/kube/json.ts";

/** A kind that it serves. */
export interface FakeKind {
  /** "v1", "apps/v1" */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly scale?: boolean;
  readonly clusterWide?: boolean;
}

/** What it is made of. */
export interface FakeKubeOptions {
  readonly objects: readonly object[];
  /** Beside the ordinary ones. */
  readonly kinds?: readonly FakeKind[];
  /** `get deployments.apps`, `create pods/portforward`: refused with 403, and by access reviews. */
  readonly denied?: readonly string[];
  /** Paths that answer 503. */
  readonly broken?: readonly string[];
  /** Instead of an access review's own answer, by right. */
  readonly reviews?: Readonly<Record<string, object>>;
}

const ordinary: readonly FakeKind[] = [
  { apiVersion: "v1", kind: "Pod", plural: "pods" },
  { apiVersion: "v1", kind: "Service", plural: "services" },
  { apiVersion: "v1", kind: "Namespace", plural: "namespaces", clusterWide: true },
  { apiVersion: "v1", kind: "ReplicationController", plural: "replicationcontrollers", scale: true },
  { apiVersion: "apps/v1", kind: "Deployment", plural: "deployments", scale: true },
  { apiVersion: "apps/v1", kind: "StatefulSet", plural: "statefulsets", scale: true },
  { apiVersion: "apps/v1", kind: "ReplicaSet", plural: "replicasets", scale: true },
  { apiVersion: "apps/v1", kind: "DaemonSet", plural: "daemonsets" },
  { apiVersion: "batch/v1", kind: "Job", plural: "jobs" },
  { apiVersion: "autoscaling/v2", kind: "HorizontalPodAutoscaler", plural: "horizontalpodautoscalers" },
  { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", plural: "endpointslices" },
  { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", plural: "networkpolicies" },
];

/** Answers `ApiClient.request`. `calls` are the requests so far: `GET /api/v1`. */
export function fakeKube(options: FakeKubeOptions) {
  const calls: string[] = [];
  const kinds = [...ordinary, ...(options.kinds ?? [])];
  const request = async ({ method, path, body, signal }: ApiRequest): Promise<unknown> => {
    calls.push(`${method} ${path}`);
    if (signal?.aborted) throw new LocalizerError("aborted", "Stopped");
    const url = new URL(path, "https://fake");
    if (options.broken?.includes(url.pathname)) throw failure("unavailable", 503, `Cannot get ${url.pathname}`);
    if (method === "POST" && url.pathname.endsWith("/selfsubjectaccessreviews")) return review(body);
    const discovered = discovery(url.pathname, kinds);
    if (discovered !== undefined) return discovered;
    return read(url);
  };
  const review = (body: unknown) => {
    const attributes = at(body, "spec", "resourceAttributes");
    const name = rightName({
      verb: textAt(attributes, "verb") ?? "",
      plural: textAt(attributes, "resource") ?? "",
      group: textAt(attributes, "group") ?? "",
      subresource: textAt(attributes, "subresource"),
    });
    const status = options.reviews?.[name] ?? { allowed: !(options.denied ?? []).includes(name) };
    return { kind: "SelfSubjectAccessReview", status };
  };
  const read = (url: URL): unknown => {
    const parts = url.pathname.split("/").slice(1);
    const isCore = parts[0] === "api";
    const apiVersion = isCore ? parts[1] : `${parts[1]}/${parts[2]}`;
    const rest = parts.slice(isCore ? 2 : 3);
    const [namespace, [plural, name, subresource]] =
      rest[0] === "namespaces" && rest.length > 2 ? [rest[1], rest.slice(2)] : [undefined, rest];
    const kind = kinds.find((one) => one.apiVersion === apiVersion && one.plural === plural);
    if (kind === undefined) throw failure("not-found", 404, "the server could not find the requested resource");
    const verb = name === undefined ? "list" : "get";
    const right = rightName({ verb, plural: kind.plural, group: isCore ? "" : (parts[1] ?? ""), subresource });
    if (options.denied?.includes(right)) throw failure("denied", 403, `you may not ${right}`);
    const objects = options.objects.filter(
      (object) =>
        textAt(object, "kind") === kind.kind &&
        textAt(object, "apiVersion") === apiVersion &&
        textAt(object, "metadata", "namespace") === namespace,
    );
    if (name === undefined) return { items: objects.filter((object) => isSelected(object, url)) };
    const found = objects.find((object) => textAt(object, "metadata", "name") === decodeURIComponent(name));
    if (found === undefined) throw failure("not-found", 404, `${kind.plural} "${name}" not found`);
    if (subresource === undefined) return found;
    return { kind: "Scale", spec: { replicas: numberAt(found, "spec", "size") ?? 0 } };
  };
  return { request, calls };
}

function discovery(path: string, kinds: readonly FakeKind[]): unknown {
  if (path === "/apis" || /^\/apis\/[^/]+$/.test(path)) {
    const groups = new Map<string, string[]>();
    for (const { apiVersion } of kinds) {
      const [group = "", version] = apiVersion.split("/");
      if (version === undefined) continue;
      const versions = groups.get(group) ?? [];
      if (!versions.includes(version)) groups.set(group, [...versions, version]);
    }
    const all = [...groups].map(([name, versions]) => ({
      name,
      versions: versions.map((version) => ({ groupVersion: `${name}/${version}`, version })),
      preferredVersion: { version: versions.at(-1) },
    }));
    if (path === "/apis") return { kind: "APIGroupList", groups: all };
    const found = all.find(({ name }) => path === `/apis/${name}`);
    if (found === undefined) throw failure("not-found", 404, "the server could not find the requested resource");
    return found;
  }
  if (!/^\/api\/[^/]+$/.test(path) && !/^\/apis\/[^/]+\/[^/]+$/.test(path)) return undefined;
  const served = kinds.filter(
    ({ apiVersion }) => path === `/${apiVersion.includes("/") ? "apis" : "api"}/${apiVersion}`,
  );
  if (served.length === 0) throw failure("not-found", 404, "the server could not find the requested resource");
  const resources = served.flatMap(({ kind, plural, scale = false, clusterWide = false }) => {
    const own = { name: plural, kind, namespaced: !clusterWide };
    return scale ? [own, { name: `${plural}/scale`, kind: "Scale", group: "autoscaling", version: "v1" }] : [own];
  });
  return { kind: "APIResourceList", resources };
}

function isSelected(object: object, url: URL): boolean {
  const selector = url.searchParams.get("labelSelector");
  const labels = textsAt(object, "metadata", "labels");
  return (selector ?? "")
    .split(",")
    .filter((part) => part !== "")
    .every((part) => labels[part.slice(0, part.indexOf("="))] === part.slice(part.indexOf("=") + 1));
}

function rightName(right: { verb: string; plural: string; group: string; subresource: string | undefined }): string {
  const group = right.group === "" ? "" : `.${right.group}`;
  return `${right.verb} ${right.plural}${group}${right.subresource === undefined ? "" : `/${right.subresource}`}`;
}

function failure(code: ErrorCode, httpStatus: number, message: string): LocalizerError {
  const cause = new ApiStatus({ httpStatus, reason: "", message, retryAfterMs: undefined });
  return new LocalizerError(code, message, { cause });
}
