/** What this machine and this cluster say about names: the policy that controller's names follow. */
import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import tlds from "tlds" with { type: "json" };
import type { HostNamePolicy } from "../controller/host-names.ts";
import { errnoOf, LocalizerError } from "../errors.ts";
import { hostsInstance } from "../helper/config.ts";
import { type ForeignHosts, foreignHosts } from "../hostsfile/foreign.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { serviceKey } from "../model/service-key.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import type { SystemNames } from "./system-names.ts";

/** What is asked of SystemNames. */
export type NamesElsewhere = Pick<SystemNames, "resolvesElsewhere" | "settled" | "onAnswer">;

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

/** Short names for one namespace; names that are somebody's stay his, in the hosts file and in the network's DNS. */
export function hostNamePolicy(
  options: Pick<DaemonOptions, "namespaces" | "allowSuffixes" | "shortNames" | "clusterDomain">,
  cluster: Pick<Cluster, "namespace" | "server">,
  { foreign, systemNames }: { foreign: ForeignHosts; systemNames: NamesElsewhere },
): HostNamePolicy {
  const topLevel = new Set(tlds);
  const machine = hostname().toLowerCase();
  const context = cluster.namespace === undefined ? [] : [cluster.namespace];
  const { shortNames = cluster.namespace ?? "default" } = options;
  const shortNamesFor = shortNames === "off" ? undefined : shortNames;
  return {
    clusterDomain: options.clusterDomain,
    namedNamespaces: new Set([...options.namespaces, ...options.allowSuffixes, ...context]),
    shortNamesFor,
    isTopLevelDomain: (word) => topLevel.has(word),
    taken: new Set([...foreign.names, machine, cluster.server.hostname.toLowerCase()]),
    resolvesElsewhere: (name) => systemNames.resolvesElsewhere(name),
    get settled() {
      return systemNames.settled;
    },
    onChange: (listener) =>
      systemNames.onAnswer((name) => {
        if (shortNamesFor !== undefined) listener(serviceKey(shortNamesFor, name));
      }),
  };
}
