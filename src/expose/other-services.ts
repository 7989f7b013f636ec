/** Which other Services of the namespace lead to the same pods, and so change with the exposure. Pure. */
import { textAt, textsAt } from "../kube/json.ts";
import { hasLabels } from "../kube/label-selector.ts";
import type { OwnerOf } from "../kube/owners.ts";
import { nameObject, templateLabels } from "../kube/scalable-owner.ts";
import type { ExposableService } from "./exposable-service.ts";
import { podOf } from "./pod-source.ts";

/**
 * A sentence for each, with what happens to it: our pod has the labels that the exposed Service selects by, and no others of the
 * workload's.
 */
export function otherServiceWarnings(
  exposed: Pick<ExposableService, "name" | "selector">,
  owners: readonly OwnerOf[],
  services: readonly unknown[],
): readonly string[] {
  return services.flatMap((service) => {
    const name = textAt(service, "metadata", "name") ?? "";
    const selector = textsAt(service, "spec", "selector");
    if (name === exposed.name || Object.keys(selector).length === 0) return [];
    const touched = owners.filter((owner) => podLabels(owner).some((labels) => hasLabels(labels, selector)));
    if (touched.length === 0) return [];
    const whose = touched.map(nameObject).join(", ");
    return hasLabels(exposed.selector, selector)
      ? [
          `Service "${name}" leads to pods of ${whose}, too: its callers get the local process, on the ports that are exposed`,
        ]
      : [`Service "${name}" leads to pods of ${whose}, too: it loses these endpoints while they are at 0`];
  });
}

/** Of the pods that it has (a StatefulSet's have labels of their own), and of those that it makes. */
function podLabels(owner: OwnerOf): readonly Readonly<Record<string, string>>[] {
  const made = templateLabels(owner);
  return [
    ...(made === undefined ? [] : [made]),
    ...owner.below.map((object) => textsAt(podOf(object), "metadata", "labels")),
  ];
}
