/**
 * How to run the kubectl that belongs to a cluster: of the same version, as its administrator.
 */
import { join } from "node:path";
import type { ClusterLayout } from "./layout.ts";

/** Where a start puts it. */
export function kubectlPath(layout: ClusterLayout): string {
  return join(layout.stateDir, "bin", "kubectl");
}

/** Environment in which kubectl speaks to this cluster and keeps nothing in the user's home. */
export function kubectlEnvironment(layout: ClusterLayout): NodeJS.ProcessEnv {
  return { ...process.env, KUBECONFIG: layout.kubeconfig, KUBECACHEDIR: join(layout.stateDir, "kubectl-cache") };
}
