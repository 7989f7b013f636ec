/** What this machine and this cluster say about names: the policy that controller's names follow. */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import tlds from "tlds" with { type: "json" };
import type { HostNamePolicy } from "../controller/host-names.ts";
import { errnoOf, LocalizerError } from "../errors.ts";
import { hostsInstance } from "../helper/config.ts";
import { type ForeignHosts, foreignHosts } from "../hostsfile/foreign.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** Names and addresses of the hosts file that are not ours. A missing file has none. */
export async function foreignHostsOf(options: DaemonOptions): Promise<ForeignHosts> {
  const path = options.hostsFile ?? "/etc/hosts";
  try {
    return foreignHosts(await readFile(path), hostsInstance(options.socket ?? defaultSocketLink));
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { names: new Set(), addresses: new Set() };
    throw LocalizerError.wrap(error, `Cannot read "${path}"`);
  }
}

/** Short names for the context's namespace; names that are somebody's stay his. */
export function hostNamePolicy(options: DaemonOptions, cluster: Cluster, foreign: ForeignHosts): HostNamePolicy {
  const topLevel = new Set(tlds);
  const machine = hostname().toLowerCase();
  const context = cluster.namespace ?? "default";
  return {
    clusterDomain: options.clusterDomain,
    namedNamespaces: new Set([...options.namespaces, ...(cluster.namespace === undefined ? [] : [cluster.namespace])]),
    shortNamesFor: context,
    isTopLevelDomain: (word) => topLevel.has(word),
    taken: new Set([...foreign.names, machine, cluster.server.hostname.toLowerCase()]),
  };
}
