/** Which container of a pod stands behind the ports that are exposed. Pure. */
import { at, listAt, textAt } from "../kube/json.ts";
import type { ServedPort } from "./port-map.ts";

/** The first port that a container declares decides, by name or number; else it is the first container. Undefined for a pod without any. */
export function exposedContainer(
  pod: unknown,
  ports: readonly Pick<ServedPort, "remote" | "remoteName">[],
): unknown | undefined {
  const containers = listAt(pod, "spec", "containers");
  for (const { remote, remoteName } of ports) {
    const found = containers.find((container) =>
      listAt(container, "ports").some((port) =>
        remoteName === "" ? at(port, "containerPort") === remote : textAt(port, "name") === remoteName,
      ),
    );
    if (found !== undefined) return found;
  }
  return containers[0];
}
