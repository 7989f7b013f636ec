/** Which controllers of the namespace would take our pod for one of their own, and delete it (verified.md 3.4). */
import { at, textAt } from "../kube/json.ts";
import { parseLabelSelector, selects } from "../kube/label-selector.ts";
import type { Objects } from "../kube/objects.ts";
import { nameObject } from "../kube/scalable-owner.ts";
import { listIfAllowed } from "./list-if-allowed.ts";

/** The kinds that adopt a pod by nothing but its labels. A StatefulSet looks at the name as well. */
const adopting = [
  { group: "apps", version: "v1", plural: "replicasets", kind: "ReplicaSet" },
  { group: "apps", version: "v1", plural: "daemonsets", kind: "DaemonSet" },
  { group: "", version: "v1", plural: "replicationcontrollers", kind: "ReplicationController" },
] as const;

/** `ReplicaSet "cart"` for each that selects these labels; those that may not be listed are not seen. Throws as Objects.list, but for rights. */
export async function findAdopters(
  objects: Pick<Objects, "list">,
  { namespace, labels }: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const found = await Promise.all(
    adopting.map(async ({ kind, ...resource }) => {
      const items = (await listIfAllowed(objects, resource, namespace, signal)) ?? [];
      return items.flatMap((item) => {
        const selector = parseLabelSelector(at(item, "spec", "selector"));
        if (selector === undefined || !selects(selector, labels)) return [];
        return [nameObject({ kind, name: textAt(item, "metadata", "name") ?? "" })];
      });
    }),
  );
  return found.flat();
}
