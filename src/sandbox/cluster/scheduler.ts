/** The scheduler: a pod goes to the first node that has the labels it wants. Resources, taints and affinities are not looked at. */

import type { Clock } from "../../clock.ts";
import { apiTime } from "../deletion.ts";
import { at, textAt, textsAt } from "../json.ts";
import { type ControlledServer, type Controller, isOf, keyOf, type ObjectKey } from "./controller.ts";
import { unschedulable } from "./pod-status.ts";
import { isTerminating } from "./pods.ts";

const by = { manager: "kube-scheduler" };

/** Makes one. */
export function scheduler(server: ControlledServer, clock: Clock): Controller {
  const { store, objects } = server;
  const pods = server.resource("pods");
  const nodes = server.resource("nodes");
  const waits = (pod: unknown) => textAt(pod, "spec", "nodeName") === undefined;

  const reconcile = ({ namespace, name }: ObjectKey): undefined => {
    const pod = store.get(pods, namespace, name);
    if (pod === undefined || isTerminating(pod) || !waits(pod)) return;
    const wanted = Object.entries(textsAt(pod, "spec", "nodeSelector") ?? {});
    const all = store.list(nodes);
    const node = all.find(
      (one) =>
        at(one, "spec", "unschedulable") !== true &&
        wanted.every(([label, value]) => one.metadata.labels?.[label] === value),
    );
    const place = { resource: pods, namespace };
    if (node !== undefined) {
      objects.patch(place, name, { spec: { nodeName: node.metadata.name } }, { ...by, subresource: "status" });
      return;
    }
    const message = `0/${all.length} nodes are available: ${all.length} node(s) didn't match Pod's node affinity/selector.`;
    const status = unschedulable(pod, message, apiTime(clock.now()));
    objects.patch(place, name, { status }, { ...by, subresource: "status" });
  };

  return {
    name: "scheduler",
    keysOf(change) {
      if (isOf(change, pods)) return change.type === "DELETED" ? [] : [keyOf(pods, change.object)];
      if (!isOf(change, nodes)) return [];
      return store
        .list(pods)
        .filter(waits)
        .map((pod) => keyOf(pods, pod));
    },
    reconcile,
  };
}
