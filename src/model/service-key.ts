/**
 * Which Service is meant, or which pod of a headless one: branded strings, so that they can be map keys.
 * Parsed at the border (command line, wire), trusted inside.
 */
import { LocalizerError } from "../errors.ts";
import { isDnsLabel } from "./host-name.ts";

declare const brand: unique symbol;

/** "namespace/name" of a Service, both valid DNS labels. */
export type ServiceKey = string & { readonly [brand]: "ServiceKey" };

/** "namespace/service/hostname" of a pod that cluster DNS knows by a name of its own; all valid DNS labels. */
export type PodKey = string & { readonly [brand]: "PodKey" };

/** Who may have an address and names. No ServiceKey equals a PodKey. */
export type OwnerKey = ServiceKey | PodKey;

/** @throws LocalizerError `usage` when one of the two is no DNS label (RFC 1123) */
export function serviceKey(namespace: string, name: string): ServiceKey {
  for (const part of [namespace, name]) {
    if (!isDnsLabel(part)) {
      throw new LocalizerError("usage", `Cannot use "${namespace}/${name}" as a service: "${part}" is no valid name`);
    }
  }
  // Proven by the loop above.
  return `${namespace}/${name}` as ServiceKey;
}

/** The namespace of a key. */
export function namespaceOf(key: ServiceKey): string {
  return key.slice(0, key.indexOf("/"));
}

/** The Service's name without its namespace. */
export function nameOf(key: ServiceKey): string {
  return key.slice(key.indexOf("/") + 1);
}

/** @throws LocalizerError `usage` when the host name is no DNS label (RFC 1123) */
export function podKey(service: ServiceKey, hostname: string): PodKey {
  if (!isDnsLabel(hostname)) {
    throw new LocalizerError("usage", `Cannot use "${hostname}" as a pod of "${service}": it is no valid name`);
  }
  // Proven by the line above, and by the service's own brand.
  return `${service}/${hostname}` as PodKey;
}
