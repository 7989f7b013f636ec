/** A kubeconfig that a throw-away user can use as his own. */
import { chmodSync, chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../cluster/running-cluster.ts";
import type { ThrowawayUser } from "../support/throwaway-user.ts";

/** The cluster's kubeconfig with its certificates inside, readable by the user alone. */
export async function usersKubeconfig(cluster: Cluster, user: ThrowawayUser): Promise<string> {
  const text = await cluster.kubectl(["config", "view", "--raw", "--flatten"]);
  const folder = join(user.home, ".kube");
  const path = join(folder, "config");
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(path, text);
  chmodSync(path, 0o600);
  for (const each of [folder, path]) chownSync(each, user.uid, user.gid);
  return path;
}
