/**
 * Says what of a cluster is on this machine now. Tests check with it that a stop was clean.
 */
import { existsSync } from "node:fs";
import { clusterCgroups } from "./cgroups.ts";
import { clusterProcesses } from "./cluster-processes.ts";
import { type ClusterLayout, clusterLayout } from "./layout.ts";
import { mountsUnder } from "./mounts.ts";
import { interfaceExists } from "./network.ts";

/** Names each process, mount, network namespace, interface and cgroup that is there. Empty after a clean stop. */
export function leftovers(layout: ClusterLayout = clusterLayout()): string[] {
  return [
    ...clusterProcesses(layout).map(({ pid, command }) => `process ${pid} (${command})`),
    ...mountsUnder(layout.stateDir).map(({ path, type }) => `mount ${path} (${type})`),
    ...(existsSync(layout.netnsPath) ? [`network namespace ${layout.netns}`] : []),
    ...(interfaceExists(layout) ? [`interface ${layout.hostInterface}`] : []),
    ...clusterCgroups(layout).map((path) => `cgroup ${path}`),
  ];
}
