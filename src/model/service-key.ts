/**
 * Which Service is meant: namespace and name as one branded string, so that it can be a map key.
 * Parsed at the border (command line, wire), trusted inside.
 */
import { LocalizerError } from "../errors.ts";
import { isDnsLabel } from "./host-name.ts";

declare const brand: unique symbol;

/** "namespace/name" of a Service, both valid DNS labels. */
export type ServiceKey = string & { readonly [brand]: "ServiceKey" };

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
