/** Which of the Services that somebody waits for are not ready, and why. Pure. */
import { LocalizerError } from "../errors.ts";
import type { ListedService, ServiceList } from "../rpc/listed.ts";
import { nearest } from "./nearest.ts";

/** What is waited for. */
export interface Target {
  readonly namespace: string;
  readonly name: string;
}

/**
 * A clause for each target that is not ready; empty when all are.
 * @throws LocalizerError `not-found` when a daemon that has decided everything has no such Service, or none with a tunnel
 */
export function missingServices(targets: readonly Target[], list: ServiceList, isStable: boolean): readonly string[] {
  const byKey = new Map(list.services.map((service) => [keyOf(service), service]));
  return targets.flatMap((target) => {
    const key = keyOf(target);
    const service = byKey.get(key);
    if (service === undefined) {
      if (isStable) throw notFound(target, list);
      return [`${key} is not there yet`];
    }
    if (isReady(service)) return [];
    const { status, statusReason } = service;
    if (status === "skipped" && isStable) {
      throw new LocalizerError("not-found", `Service "${key}" has no tunnel: ${statusReason}`);
    }
    const reason = statusReason || (status === "listening" || status === "running" ? "it has no pod" : "");
    return [`${key} is ${status}${reason === "" ? "" : ` (${reason})`}`];
  });
}

/** Accepts connections here and has a pod for them. */
function isReady({ status, endpoint, portRows }: ListedService): boolean {
  if (status === "running") return true;
  return status === "listening" && (endpoint !== "" || portRows.some(({ readyPods }) => readyPods > 0));
}

function notFound(target: Target, { cluster, services }: ServiceList): LocalizerError {
  const key = keyOf(target);
  const followed = cluster?.namespaces ?? [];
  if (followed.length > 0 && !followed.includes(target.namespace)) {
    return new LocalizerError(
      "not-found",
      `There is no Service "${key}": the daemon follows ${followed.join(", ")} only`,
    );
  }
  const elsewhere = services.filter(({ name }) => name === target.name).map(keyOf);
  const close = elsewhere[0] ?? nearest(key, services.map(keyOf));
  const meant = close === undefined ? "" : `; did you mean "${close}"?`;
  return new LocalizerError("not-found", `There is no Service "${key}"${meant}`);
}

function keyOf({ namespace, name }: Target): string {
  return `${namespace}/${name}`;
}
