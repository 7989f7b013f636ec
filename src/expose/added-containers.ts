/** What the cluster has made of our pod that we did not ask for. Pure. */
import { podState } from "../kube/pod-state.ts";
import { containerName } from "./session-manifests.ts";

/** A sentence for each thing that an admission webhook has added and that may stand in the way. */
export function addedToPod(pod: unknown): readonly string[] {
  const { containers, runtimeClass } = podState(pod);
  const added = containers.filter((name) => name !== containerName);
  const told: string[] = [];
  if (added.length > 0) {
    told.push(
      `The cluster has added to the pod: ${added.join(", ")}; should the exposure not come up, that may be why`,
    );
  }
  if (runtimeClass !== undefined) {
    told.push(`The pod runs in RuntimeClass "${runtimeClass}": sandboxes like gVisor and Kata refuse port-forwards`);
  }
  return told;
}
