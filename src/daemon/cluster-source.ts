/** From the user's settings to the cluster to serve, and word when the kubeconfig moves on. */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import type { Clock } from "../clock.ts";
import { plainRootRefusal } from "../helper/user.ts";
import { type Cluster, type LoadedCluster, loadCluster } from "../kube/kubeconfig.ts";
import type { KubeconfigSource } from "../kube/kubeconfig-merge.ts";
import type { Logger } from "../log.ts";
import { homeFolder } from "../model/home-folder.ts";
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

/** Follows what the kubeconfig says about the served context, and unless the user has named it, which one is current. */
export function followCurrentContext(
  settings: ClusterSettings,
  served: Pick<Cluster, "contextName" | "server" | "userName">,
  components: { readonly clock: Clock; readonly log: Logger },
): CurrentContext {
  const options = { kubeconfig: kubeconfigOf(settings), served, isNamed: settings.context !== undefined };
  return new CurrentContext({ ...components, markOf: fileMark }, options);
}

function kubeconfigOf({ kubeconfig, env }: ClusterSettings): KubeconfigSource {
  return { path: kubeconfig, env, home: homeFolder(env, homedir), readFile: (path) => readFile(path) };
}
