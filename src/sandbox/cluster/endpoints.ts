/** One pod behind a Service, as an EndpointSlice (discovery/v1) has it. Pure. */
import type { ApiObject } from "../api-object.ts";
import { at, listAt, numberAt, textAt } from "../json.ts";
import { isReady, isTerminating } from "./pods.ts";

/** The endpoint that a pod is. */
export function endpointOf(service: ApiObject, pod: ApiObject): unknown {
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const publishes = at(service, "spec", "publishNotReadyAddresses") === true;
  const { namespace, name, uid } = pod.metadata;
  const hostname = textAt(pod, "spec", "hostname");
  const isNamed = hostname !== undefined && textAt(pod, "spec", "subdomain") === service.metadata.name;
  return {
    addresses: [textAt(pod, "status", "podIP") ?? ""],
    conditions: { ready: publishes || (serving && !terminating), serving, terminating },
    ...(isNamed ? { hostname } : {}),
    targetRef: { kind: "Pod", namespace, name, uid },
    nodeName: textAt(pod, "spec", "nodeName"),
  };
}

/** The Service's ports as numbers of the pod; one whose name the pod does not know is left out. */
export function portsOf(service: ApiObject, pod: ApiObject): readonly unknown[] {
  return listAt(service, "spec", "ports").flatMap((port) => {
    const protocol = textAt(port, "protocol") ?? "TCP";
    const target = at(port, "targetPort") ?? at(port, "port");
    const number = typeof target === "string" ? namedPort(pod, target, protocol) : target;
    return typeof number === "number" ? [{ name: textAt(port, "name") ?? "", protocol, port: number }] : [];
  });
}

function namedPort(pod: ApiObject, name: string, protocol: string): number | undefined {
  for (const container of listAt(pod, "spec", "containers")) {
    for (const port of listAt(container, "ports")) {
      const isIt = textAt(port, "name") === name && (textAt(port, "protocol") ?? "TCP") === protocol;
      if (isIt) return numberAt(port, "containerPort");
    }
  }
  return undefined;
}
