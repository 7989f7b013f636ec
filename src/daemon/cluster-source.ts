/** From the user's settings to the cluster to serve, and word when the kubeconfig's current context moves on. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import type { Clock } from "../clock.ts";
import { plainRootRefusal } from "../helper/user.ts";
import { type LoadedCluster, loadCluster } from "../kube/kubeconfig.ts";
import type { KubeconfigSource } from "../kube/kubeconfig-merge.ts";
import type { Logger } from "../log.ts";
import { CurrentContext, fileMark } from "./current-context.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** What of the settings says where the cluster is found. */
export type ClusterSettings = Pick<DaemonOptions, "kubeconfig" | "context" | "env" | "allowRootExec">;

/** Loads the cluster. Throws as `loadCluster` does. */
export function clusterOf(settings: ClusterSettings, clock: Clock): Promise<LoadedCluster> {
  const execRefused = plainRootRefusal(settings.env, settings.allowRootExec);
  return loadCluster({
    ...kubeconfigOf(settings),
    context: settings.context,
    clock,
    hasTerminal: () => process.stdin.isTTY === true,
    showPluginOutput: (chunk) => void process.stderr.write(chunk),
    ...(execRefused === undefined ? {} : { execRefused }),
  });
}

/** Follows the current context; undefined when the user has named one, for then it does not matter. */
export function followCurrentContext(
  settings: ClusterSettings,
  served: string,
  components: { readonly clock: Clock; readonly log: Logger },
): CurrentContext | undefined {
  if (settings.context !== undefined) return undefined;
  return new CurrentContext({ ...components, markOf: fileMark }, { kubeconfig: kubeconfigOf(settings), served });
}

function kubeconfigOf({ kubeconfig, env }: ClusterSettings): KubeconfigSource {
  return { path: kubeconfig, env, home: env.HOME ?? homedir(), readFile: (path) => readFile(path) };
}
