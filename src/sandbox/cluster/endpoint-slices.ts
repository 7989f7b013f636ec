/** The EndpointSlice controller: who is behind a Service, as slices by the ports that its names come to. */
import { randomInt } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { ApiObject } from "../api-object.ts";
import { at, textAt, textsAt } from "../json.ts";
import { matchesSelector } from "../object-selector.ts";
import {
  type ControlledServer,
  type Controller,
  controllerManager,
  isOf,
  keyOf,
  type ObjectKey,
} from "./controller.ts";
import { endpointOf, portsOf } from "./endpoints.ts";
import { controllerReference } from "./owners.ts";
import { hasEnded } from "./pods.ts";

const serviceLabel = "kubernetes.io/service-name";
const managerLabel = "endpointslice.kubernetes.io/managed-by";
const managedBy = "endpointslice-controller.k8s.io";

/** What a slice says. */
interface SliceContent {
  readonly endpoints: readonly unknown[] | null;
  readonly ports: readonly unknown[] | null;
}

/** Makes one. */
export function endpointSliceController(server: ControlledServer): Controller {
  const { store, objects } = server;
  const services = server.resource("services");
  const pods = server.resource("pods");
  const slices = server.resource("endpointslices.discovery.k8s.io");
  const by = { manager: controllerManager };

  const reconcile = ({ namespace, name }: ObjectKey): undefined => {
    const service = store.get(services, namespace, name);
    const own = store
      .list(slices, namespace)
      .filter(
        ({ metadata }) => metadata.labels?.[serviceLabel] === name && metadata.labels[managerLabel] === managedBy,
      );
    const place = { resource: slices, namespace };
    const wanted = service === undefined || !hasSelector(service) ? [] : contentsOf(service, podsOf(service));
    const left = [...own];
    for (const content of wanted) {
      const index = Math.max(
        0,
        left.findIndex((slice) => isDeepStrictEqual(at(slice, "ports"), content.ports)),
      );
      const [slice] = left.splice(index, 1);
      if (slice !== undefined) objects.update(place, slice.metadata.name, { ...slice, ...content }, by);
      else if (service !== undefined) objects.create(place, sliceOf(service, content), by);
    }
    for (const { metadata } of left) objects.delete(place, metadata.name, { uid: metadata.uid }, by);
  };

  function podsOf(service: ApiObject): readonly ApiObject[] {
    return store
      .list(pods, service.metadata.namespace)
      .filter((pod) => selects(service, pod) && !hasEnded(pod) && textAt(pod, "status", "podIP") !== undefined);
  }

  function sliceOf(service: ApiObject, content: SliceContent) {
    const { name } = service.metadata;
    const isHeadless = at(service, "spec", "clusterIP") === "None";
    const labels = {
      [managerLabel]: managedBy,
      [serviceLabel]: name,
      ...(isHeadless ? { "service.kubernetes.io/headless": "" } : {}),
    };
    const ownerReferences = [controllerReference({ resource: services, object: service })];
    const generateName = `${name}-`;
    return {
      metadata: {
        name: `${generateName}${randomInt(36 ** 4, 36 ** 5).toString(36)}`,
        generateName,
        labels,
        ownerReferences,
      },
      addressType: "IPv4",
      ...content,
    };
  }

  return {
    name: "endpointslices",
    keysOf(change) {
      const { object, previous } = change;
      const { namespace } = object.metadata;
      if (isOf(change, services)) return [keyOf(services, object)];
      if (isOf(change, slices)) {
        const name = object.metadata.labels?.[serviceLabel];
        return name === undefined ? [] : [{ resource: services, namespace, name }];
      }
      if (!isOf(change, pods)) return [];
      const isConcerned = (service: ApiObject) =>
        selects(service, object) || (previous !== undefined && selects(service, previous));
      return store
        .list(services, namespace)
        .filter(isConcerned)
        .map((service) => keyOf(services, service));
    },
    reconcile,
  };
}

/** One slice for each set of ports; one that is empty when nobody is there. */
function contentsOf(service: ApiObject, pods: readonly ApiObject[]): readonly SliceContent[] {
  const groups = new Map<string, { readonly ports: readonly unknown[]; readonly endpoints: unknown[] }>();
  for (const pod of pods) {
    const ports = portsOf(service, pod);
    const id = JSON.stringify(ports);
    const group = groups.get(id) ?? { ports, endpoints: [] };
    groups.set(id, group);
    group.endpoints.push(endpointOf(service, pod));
  }
  return groups.size === 0 ? [{ endpoints: null, ports: null }] : [...groups.values()];
}

function hasSelector(service: ApiObject): boolean {
  const selector = textsAt(service, "spec", "selector") ?? {};
  return Object.keys(selector).length > 0 && textAt(service, "spec", "type") !== "ExternalName";
}

function selects(service: ApiObject, pod: ApiObject): boolean {
  return matchesSelector(at(service, "spec", "selector"), pod.metadata.labels ?? {});
}
