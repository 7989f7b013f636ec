/** The Service that shall be exposed: found, or refused because nothing can stand in for it. */
import { codeOf, LocalizerError } from "../errors.ts";
import { textAt } from "../kube/json.ts";
import { kinds, type Objects } from "../kube/objects.ts";
import { parseService, type Service } from "../kube/service.ts";
import { nearestFew } from "../model/nearest.ts";
import { nameOf, namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { quotedList } from "./quoted-list.ts";
import { trafficPolicyWarnings } from "./traffic-policy.ts";

/** A Service that selects pods. */
export interface ExposableService extends Service {
  readonly selector: Readonly<Record<string, string>>;
  /** What is to be said about whom it leads to our pod. */
  readonly trafficWarnings: readonly string[];
}

/**
 * Gets the Service.
 * @throws LocalizerError `not-found`, with the nearest names of the namespace; `conflict` when it leads to no pods by itself; as Objects.get
 */
export async function readExposable(
  objects: Pick<Objects, "get" | "list">,
  key: ServiceKey,
  signal?: AbortSignal,
): Promise<ExposableService> {
  const found = await getService(objects, key, signal);
  const service = parseService(found);
  const { type, externalName, selector } = service;
  if (type === "ExternalName") {
    throw refusal(key, `it leads to the name "${externalName ?? ""}" (type ExternalName), not to pods`);
  }
  if (selector === undefined) {
    throw refusal(key, "it has no selector, so whoever writes its endpoints decides where it leads");
  }
  return { ...service, selector, trafficWarnings: trafficPolicyWarnings(found) };
}

/** The error for a Service that cannot be exposed as it is: `Cannot expose "shop/cart": …`. */
export function refusal(key: ServiceKey, reason: string): LocalizerError {
  return new LocalizerError("conflict", `Cannot expose "${key}": ${reason}`);
}

async function getService(objects: Pick<Objects, "get" | "list">, key: ServiceKey, signal: AbortSignal | undefined) {
  const [namespace, name] = [namespaceOf(key), nameOf(key)];
  try {
    return await objects.get({ ...kinds.services, namespace, name }, signal);
  } catch (error) {
    if (codeOf(error) !== "not-found") throw error;
    const others = await names(objects, namespace, signal);
    const reason = `namespace "${namespace}" has no such Service${hint(name, others)}`;
    throw new LocalizerError("not-found", `Cannot expose "${key}": ${reason}`, { cause: error });
  }
}

/** Empty when they may not be listed, too: then there is no hint. */
async function names(objects: Pick<Objects, "list">, namespace: string, signal: AbortSignal | undefined) {
  try {
    const services = await objects.list(kinds.services, { namespace }, signal);
    return services.map((service) => textAt(service, "metadata", "name") ?? "");
  } catch (error) {
    if (codeOf(error) === "aborted") throw error;
    return [];
  }
}

function hint(name: string, others: readonly string[]): string {
  const near = nearestFew(name, others, 3);
  if (near.length > 0) return `; did you mean ${quotedList(near)}?`;
  return others.length > 0 ? `, but ${quotedList(others)}` : "";
}
