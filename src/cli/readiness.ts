/** Which of the Services that somebody waits for are not ready, and why. Pure. */
import { LocalizerError } from "../errors.ts";
import { nearest } from "../model/nearest.ts";
import type { ListedService, ListedStatus, ServiceList } from "../rpc/listed.ts";
import { whyAbsent } from "./absence.ts";

/** What is waited for. */
export interface Target {
  readonly namespace: string;
  readonly name: string;
}

/** What is known beside the list. */
export interface Patience {
  /** The daemon has decided everything. */
  readonly isStable: boolean;
  /** A conflict may pass by itself: a program that ends, a port that is just being given back. */
  readonly mayPass: boolean;
}

/** No status of a Service that is ready, or will be if somebody waits. */
const hopeless = { denied: "denied", conflict: "conflict", skipped: "not-found" } as const;

/**
 * A clause for each target that is not ready; empty when all are.
 * @throws LocalizerError when waiting is of no use: `not-found` when a daemon that has decided everything has no such Service, or
 * none with a tunnel; `denied` when a right is missing; `conflict` when one has lasted
 */
export function missingServices(targets: readonly Target[], list: ServiceList, patience: Patience): readonly string[] {
  const byKey = new Map(list.services.map((service) => [keyOf(service), service]));
  return targets.flatMap((target) => {
    const key = keyOf(target);
    const service = byKey.get(key);
    if (service === undefined) {
      const absence = whyAbsent(target, list);
      if (absence !== undefined) throw absence;
      if (patience.isStable) throw notFound(target, list);
      return [`${key} is not there yet`];
    }
    if (isReady(service)) {
      return service.namesPending ? [`${key} is ${service.status}, but its names are not in the hosts file`] : [];
    }
    const { status, statusReason } = service;
    if (isHopeless(status, patience)) {
      const what = status === "skipped" ? "has no tunnel" : `is ${status === "conflict" ? "in conflict" : status}`;
      throw new LocalizerError(hopeless[status], `Service "${key}" ${what}: ${statusReason}`);
    }
    const reason = statusReason || (status === "listening" || status === "running" ? "it has no pod" : "");
    return [`${key} is ${status}${reason === "" ? "" : ` (${reason})`}`];
  });
}

function isHopeless(status: ListedStatus, { isStable, mayPass }: Patience): status is keyof typeof hopeless {
  if (status === "conflict") return !mayPass;
  return status === "denied" || (status === "skipped" && isStable);
}

/** Accepts connections here and has a pod for them. */
function isReady({ status, endpoint, portRows }: ListedService): boolean {
  if (status === "running") return true;
  return status === "listening" && (endpoint !== "" || portRows.some(({ readyPods }) => readyPods > 0));
}

function notFound(target: Target, { services, selector }: ServiceList): LocalizerError {
  const key = keyOf(target);
  const among = selector === "" ? "" : ` with the labels "${selector}" that --selector wants`;
  const elsewhere = services.filter(({ name }) => name === target.name).map(keyOf);
  const close = elsewhere[0] ?? nearest(key, services.map(keyOf));
  const meant = close === undefined ? "" : `; did you mean "${close}"?`;
  return new LocalizerError("not-found", `There is no Service "${key}"${among}${meant}`);
}

function keyOf({ namespace, name }: Target): string {
  return `${namespace}/${name}`;
}
