/** A Service of the cluster (core/v1), cut down to what localizer uses. */
import { LocalizerError } from "../errors.ts";
import { isPort, type Port } from "../model/port.ts";
import { type ServiceKey, serviceKey } from "../model/service-key.ts";
import { at, exact, flagAt, listAt, numberAt, textAt, textsAt } from "./json.ts";

/** Transport protocols of a port. */
export type Protocol = "TCP" | "UDP" | "SCTP";

/** One port of a Service. */
export interface ServicePort {
  /** Empty when the Service has one port without a name. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: Port;
  /** The pod's port, or the name that the pod's container gives it. */
  readonly targetPort: Port | string;
}

/** A Service. */
export interface Service {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly type: ServiceType;
  /** `clusterIP: None`: it has no address of its own, names lead to pods. */
  readonly headless: boolean;
  /** Undefined when it selects no pods; its endpoints are then somebody else's work. */
  readonly selector: Readonly<Record<string, string>> | undefined;
  readonly ports: readonly ServicePort[];
  readonly publishNotReadyAddresses: boolean;
  /** Only of type ExternalName: the name it points to. */
  readonly externalName?: string;
  readonly sessionAffinity: "None" | "ClientIP";
  /** Only with affinity ClientIP: how long after its last connection a caller keeps its pod. */
  readonly sessionAffinityMs?: number;
}

/** The kinds of Service that the API knows. */
export type ServiceType = (typeof serviceTypes)[number];

const serviceTypes = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"] as const;
/** The API's own default of `clientIP.timeoutSeconds`, and the most that it allows. */
const affinitySeconds = { default: 10_800, max: 86_400 } as const;
const protocols = ["TCP", "UDP", "SCTP"] as const;

/** The key under which everybody speaks of it. */
export function keyOfService(service: Service): ServiceKey {
  return serviceKey(service.namespace, service.name);
}

/**
 * Reads a Service from the API's JSON. Ports that are not understood are left out.
 * @throws LocalizerError `usage` when it has no uid, no valid name or an unknown type
 */
export function parseService(value: unknown): Service {
  const namespace = textAt(value, "metadata", "namespace") ?? "";
  const name = textAt(value, "metadata", "name") ?? "";
  serviceKey(namespace, name);
  const uid = textAt(value, "metadata", "uid");
  if (uid === undefined) throw new LocalizerError("usage", `Cannot read Service "${namespace}/${name}": it has no uid`);
  const typeName = textAt(value, "spec", "type") ?? "ClusterIP";
  const type = serviceTypes.find((known) => known === typeName);
  if (type === undefined) {
    throw new LocalizerError("usage", `Cannot read Service "${namespace}/${name}": type "${typeName}" is unknown`);
  }
  const selector = textsAt(value, "spec", "selector");
  const externalName = textAt(value, "spec", "externalName");
  const hasAffinity = at(value, "spec", "sessionAffinity") === "ClientIP";
  return {
    namespace,
    name,
    uid,
    type,
    headless: at(value, "spec", "clusterIP") === "None",
    selector: Object.keys(selector).length > 0 ? selector : undefined,
    ports: exact(listAt(value, "spec", "ports").flatMap(parseServicePort)),
    publishNotReadyAddresses: flagAt(value, "spec", "publishNotReadyAddresses") ?? false,
    ...(externalName === undefined ? {} : { externalName }),
    sessionAffinity: hasAffinity ? "ClientIP" : "None",
    ...(hasAffinity ? { sessionAffinityMs: affinityMs(value) } : {}),
  };
}

function affinityMs(value: unknown): number {
  const seconds = numberAt(value, "spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds");
  const isValid = seconds !== undefined && Number.isInteger(seconds) && seconds > 0 && seconds <= affinitySeconds.max;
  return (isValid ? seconds : affinitySeconds.default) * 1_000;
}

/** The protocol of a port; TCP when none is given (API default), undefined when it is unknown. */
export function parseProtocol(value: unknown): Protocol | undefined {
  return value === undefined || value === null ? "TCP" : protocols.find((known) => known === value);
}

function parseServicePort(value: unknown): ServicePort[] {
  const protocol = parseProtocol(at(value, "protocol"));
  const port = at(value, "port");
  if (protocol === undefined || !isPort(port)) return [];
  const target = at(value, "targetPort");
  // The API server fills in an absent targetPort with the port itself; 0 stands for absent.
  const targetPort = isPort(target) || (typeof target === "string" && target !== "") ? target : port;
  return [{ name: textAt(value, "name") ?? "", protocol, port, targetPort }];
}
