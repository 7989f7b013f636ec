/** What our pod takes over from the pods that it stands in for, so that it can start where they could. Pure. */
import { at, listAt, numberAt, textAt, textsAt } from "../kube/json.ts";
import type { ExposableService } from "./exposable-service.ts";
import type { PodSettings } from "./plan.ts";
import type { PodSource } from "./pod-source.ts";
import { quotedList } from "./quoted-list.ts";

/** The settings, and what to say about them. */
export interface ChosenSettings {
  readonly pod: PodSettings;
  readonly warnings: readonly string[];
}

/** Where they come from. */
export interface SettingsOrigin {
  readonly service: Pick<ExposableService, "name" | "headless">;
  readonly sources: readonly PodSource[];
  /** The pods that there are, and workloads that would make some. */
  readonly objects: readonly unknown[];
  /** Undefined when it could not be read. */
  readonly namespace: unknown;
}

/** Pull secrets and tolerations of all, the rest of the first one: a pod can be in one place only. */
export function podSettings({ service, sources, objects, namespace }: SettingsOrigin): ChosenSettings {
  const [first] = sources;
  const nodeSelector = textsAt(first?.pod, "spec", "nodeSelector");
  const priorityClassName = textAt(first?.pod, "spec", "priorityClassName");
  const runAsUser = firstUser(namespace);
  const elsewhere = sources.find(({ pod }) => !isSame(textsAt(pod, "spec", "nodeSelector"), nodeSelector));
  const { hostnames, ...name } = service.headless ? podName(service.name, objects) : { hostnames: [] };
  const warnings = [
    ...(first !== undefined && elsewhere !== undefined
      ? [`${first.name} and ${elsewhere.name} want other nodes: localizer's pod goes where the first one may`]
      : []),
    ...(hostnames.length > 1
      ? [
          `Of the pods' own names only "${hostnames[0]}" leads to the local process, and none of the others (${quotedList(hostnames.slice(1))}) anywhere while the Service is exposed`,
        ]
      : []),
  ];
  const pod = {
    imagePullSecrets: [
      ...new Set(fieldsOf(sources, "imagePullSecrets").flatMap((secret) => textAt(secret, "name") ?? [])),
    ],
    nodeSelector,
    tolerations: distinct(fieldsOf(sources, "tolerations")),
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
    ...name,
    ...(runAsUser === undefined ? {} : { runAsUser }),
  };
  return { pod, warnings };
}

function fieldsOf(sources: readonly PodSource[], field: string): readonly unknown[] {
  return sources.flatMap(({ pod }) => listAt(pod, "spec", field));
}

function distinct(values: readonly unknown[]): readonly unknown[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}

function isSame(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const text = (labels: Readonly<Record<string, string>>) => JSON.stringify(Object.entries(labels).sort());
  return text(one) === text(other);
}

/** The first of the names that cluster DNS knows below the Service, in the order in which people count them. */
function podName(service: string, objects: readonly unknown[]) {
  const order = new Intl.Collator("en", { numeric: true });
  const hostnames = [...new Set(objects.flatMap((object) => hostnamesOf(object, service)))].sort(order.compare);
  const [hostname] = hostnames;
  return hostname === undefined ? { hostnames } : { hostnames, hostname, subdomain: service };
}

/** Of a pod, or of a StatefulSet that has none at the moment. */
function hostnamesOf(object: unknown, service: string): readonly string[] {
  if (textAt(object, "spec", "serviceName") === service) {
    const first = numberAt(object, "spec", "ordinals", "start") ?? 0;
    return [`${textAt(object, "metadata", "name") ?? ""}-${first}`];
  }
  const hostname = textAt(object, "spec", "hostname");
  return hostname !== undefined && textAt(object, "spec", "subdomain") === service ? [hostname] : [];
}

/** OpenShift's range of a namespace, `1000650000/10000` or `1000650000-1000659999`. */
function firstUser(namespace: unknown): number | undefined {
  const range = at(namespace, "metadata", "annotations", "openshift.io/sa.scc.uid-range");
  const start = typeof range === "string" ? /^(\d{1,10})[/-]\d+$/.exec(range)?.[1] : undefined;
  return start === undefined ? undefined : Number(start);
}
