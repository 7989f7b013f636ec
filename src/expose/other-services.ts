/** Which other Services of the namespace lead to the same pods, and so change with the exposure. Pure. */
import { textAt, textsAt } from "../kube/json.ts";
import { hasLabels } from "../kube/label-selector.ts";
import type { OwnerOf } from "../kube/owners.ts";
import { nameObject, templateLabels } from "../kube/scalable-owner.ts";
import type { ExposableService } from "./exposable-service.ts";
import { podOf } from "./pod-source.ts";

type Labels = Readonly<Record<string, string>>;

/** A Service, and the labels of our pod when it stands behind that. */
export interface StandingPod {
  readonly exposed: Pick<ExposableService, "name">;
  readonly ours: Labels;
}

/** A sentence for each, with what happens to it: our pod has no labels of the workload's but those that the exposed Service selects by. */
export function otherServiceWarnings(
  { exposed, ours }: StandingPod,
  owners: readonly OwnerOf[],
  services: readonly unknown[],
): readonly string[] {
  return othersOf(exposed.name, services).flatMap(({ name, selector }) => {
    const touched = owners.filter((owner) => podLabels(owner).some((labels) => hasLabels(labels, selector)));
    const isOurs = hasLabels(ours, selector);
    if (touched.length === 0) {
      return isOurs
        ? [
            `Service "${name}" comes to lead to localizer's pod, too: callers of it get the local process, on the ports that are exposed`,
          ]
        : [];
    }
    const whose = touched.map(nameObject).join(", ");
    return isOurs
      ? [
          `Service "${name}" leads to pods of ${whose}, too: its callers get the local process, on the ports that are exposed`,
        ]
      : [`Service "${name}" leads to pods of ${whose}, too: it loses these endpoints while they are at 0`];
  });
}

/** Names of those that bring our pod behind them by labels of the user's, and of these labels. Pure. */
export function servicesByLabel(
  { exposed, ours }: StandingPod,
  added: Labels,
  services: readonly unknown[],
): { readonly names: readonly string[]; readonly labels: readonly string[] } {
  const brought = othersOf(exposed.name, services).flatMap(({ name, selector }) => {
    const labels = Object.keys(selector).filter((label) => Object.hasOwn(added, label));
    return labels.length > 0 && hasLabels(ours, selector) ? [{ name, labels }] : [];
  });
  return { names: brought.map(({ name }) => name), labels: [...new Set(brought.flatMap(({ labels }) => labels))] };
}

function othersOf(exposed: string, services: readonly unknown[]) {
  return services.flatMap((service) => {
    const name = textAt(service, "metadata", "name") ?? "";
    const selector = textsAt(service, "spec", "selector");
    return name === exposed || Object.keys(selector).length === 0 ? [] : [{ name, selector }];
  });
}

/** Of the pods that it has (a StatefulSet's have labels of their own), and of those that it makes. */
function podLabels(owner: OwnerOf): readonly Labels[] {
  const made = templateLabels(owner);
  return [
    ...(made === undefined ? [] : [made]),
    ...owner.below.map((object) => textsAt(podOf(object), "metadata", "labels")),
  ];
}
