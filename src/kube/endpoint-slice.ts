/** An EndpointSlice of the cluster (discovery.k8s.io/v1), cut down to what localizer uses. */
import { LocalizerError } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import { isPort, type Port } from "../model/port.ts";
import { type ServiceKey, serviceKey } from "../model/service-key.ts";
import { at, exact, flagAt, listAt, textAt } from "./json.ts";
import { type Protocol, parseProtocol } from "./service.ts";

/** The label that ties a slice to its Service. */
export const serviceNameLabel = "kubernetes.io/service-name";

/** A port that all endpoints of a slice have. Named target ports are resolved already. */
export interface SlicePort {
  /** The Service port's name; empty when it has none. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: Port;
}

/** One backend of a slice. */
export interface SliceEndpoint {
  readonly addresses: readonly string[];
  /** Takes traffic. True when the API says nothing (API documentation of EndpointConditions). */
  readonly ready: boolean;
  /** Would be ready were it not terminating. As `ready` when the API says nothing. */
  readonly serving: boolean;
  readonly terminating: boolean;
  /** The name that cluster DNS gives it below a headless Service. */
  readonly hostname?: string;
  /** Absent when it is no pod of the slice's own namespace. */
  readonly pod?: PodRef;
}

/** Some of a Service's backends, all of one address family. */
export interface EndpointSlice {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Name of the Service it belongs to, in the same namespace. */
  readonly service: string;
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly ports: readonly SlicePort[];
  readonly endpoints: readonly SliceEndpoint[];
}

const addressTypes = ["IPv4", "IPv6", "FQDN"] as const;

/** The key of the Service that the slice belongs to. */
export function serviceKeyOfSlice(slice: EndpointSlice): ServiceKey {
  return serviceKey(slice.namespace, slice.service);
}

/**
 * Reads an EndpointSlice from the API's JSON. Ports and endpoints that are not understood are left out.
 * @throws LocalizerError `usage` when it has no name or uid, belongs to no Service or has an unknown address type
 */
export function parseEndpointSlice(value: unknown): EndpointSlice {
  const namespace = textAt(value, "metadata", "namespace") ?? "";
  const name = textAt(value, "metadata", "name") ?? "";
  const uid = textAt(value, "metadata", "uid");
  const service = textAt(value, "metadata", "labels", serviceNameLabel) ?? "";
  const addressType = addressTypes.find((known) => known === at(value, "addressType"));
  if (name === "" || uid === undefined || addressType === undefined) {
    const sentence = `Cannot read EndpointSlice "${namespace}/${name}": it has no name, uid or known address type`;
    throw new LocalizerError("usage", sentence);
  }
  serviceKey(namespace, service);
  return {
    namespace,
    name,
    uid,
    service,
    addressType,
    ports: exact(listAt(value, "ports").flatMap(parseSlicePort)),
    endpoints: exact(listAt(value, "endpoints").flatMap((endpoint) => parseSliceEndpoint(endpoint, namespace))),
  };
}

/** A port without a number means "all ports" (API documentation): nothing to forward to, left out. */
function parseSlicePort(value: unknown): SlicePort[] {
  const protocol = parseProtocol(at(value, "protocol"));
  const port = at(value, "port");
  return protocol !== undefined && isPort(port) ? [{ name: textAt(value, "name") ?? "", protocol, port }] : [];
}

function parseSliceEndpoint(value: unknown, namespace: string): SliceEndpoint[] {
  const addresses = exact(listAt(value, "addresses").filter((address) => typeof address === "string"));
  if (addresses.length === 0) return [];
  const ready = flagAt(value, "conditions", "ready") ?? true;
  const hostname = textAt(value, "hostname");
  const pod = parsePodRef(at(value, "targetRef"), { namespace, node: textAt(value, "nodeName") });
  return [
    {
      addresses,
      ready,
      serving: flagAt(value, "conditions", "serving") ?? ready,
      terminating: flagAt(value, "conditions", "terminating") ?? false,
      ...(hostname === undefined ? {} : { hostname }),
      ...(pod === undefined ? {} : { pod }),
    },
  ];
}

function parsePodRef(
  ref: unknown,
  { namespace, node }: { readonly namespace: string; readonly node: string | undefined },
): PodRef | undefined {
  const name = textAt(ref, "name");
  const uid = textAt(ref, "uid");
  if (textAt(ref, "kind") !== "Pod" || name === undefined || uid === undefined) return undefined;
  // The API server checks neither, and both end in the path of a request that carries our rights.
  if (!isPodName(name) || (textAt(ref, "namespace") ?? namespace) !== namespace) return undefined;
  return { namespace, name, uid, ...(node === undefined ? {} : { node }) };
}

/** As the API server demands of a pod's name: an RFC 1123 subdomain, whose labels may be longer than DNS allows. */
function isPodName(name: string): boolean {
  return name.length <= 253 && name.split(".").every((part) => /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(part));
}
