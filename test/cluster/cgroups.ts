/**
 * The cgroup that holds all pods of a cluster. The kubelet wants it there before it starts; a
 * name of the cluster's own lets stopping remove exactly what belongs to it.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterLayout } from "./layout.ts";
import { mounts } from "./mounts.ts";

/** Makes the cluster's cgroup in every hierarchy of this machine (version 1, 2 or both). */
export async function createCgroups(layout: ClusterLayout): Promise<void> {
  for (const { path: root, type } of hierarchies()) {
    if (type === "cgroup2") await enableControllers(root);
    const path = join(root, layout.cgroup);
    await mkdir(path, { recursive: true });
    // In version 1 a new cpuset is empty, and no process may enter it.
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (type === "cgroup" && existsSync(join(path, file))) {
        await writeFile(join(path, file), await readFile(join(root, file)));
      }
    }
  }
}

/** Removes the cluster's cgroups, children first. What still holds a process stays. */
export async function removeCgroups(layout: ClusterLayout): Promise<void> {
  for (const path of clusterCgroups(layout)) await removeTree(path);
}

/** The cluster's cgroups that exist now, one a hierarchy. */
export function clusterCgroups(layout: ClusterLayout): string[] {
  return hierarchies()
    .map(({ path }) => join(path, layout.cgroup))
    .filter((path) => existsSync(path));
}

function hierarchies() {
  return mounts().filter(({ type }) => type === "cgroup" || type === "cgroup2");
}

async function removeTree(path: string): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await removeTree(join(path, entry.name));
  }
  await rmdir(path).catch(() => {});
}

/** In version 2 a child has only the controllers that its parent passes on. */
async function enableControllers(root: string): Promise<void> {
  const controllers = (await readFile(join(root, "cgroup.controllers"), "utf8")).trim().split(" ");
  for (const controller of controllers.filter((name) => name !== "")) {
    await writeFile(join(root, "cgroup.subtree_control"), `+${controller}`).catch(() => {});
  }
}
