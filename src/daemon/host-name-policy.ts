/** What this machine and this cluster say about names: the policy that controller's names follow. */
import { hostname } from "node:os";
import tlds from "tlds" with { type: "json" };
import type { HostNamePolicy } from "../controller/host-names.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { serviceKey } from "../model/service-key.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import type { ForeignNames } from "./foreign-names.ts";
import type { SystemNames } from "./system-names.ts";

/** What is asked of SystemNames. */
export type NamesElsewhere = Pick<SystemNames, "resolvesElsewhere" | "settled" | "onAnswer">;

/** Short names for one namespace; names that are somebody's stay his, in the hosts file and in the network's DNS. */
export function hostNamePolicy(
  options: Pick<DaemonOptions, "namespaces" | "allowSuffixes" | "shortNames" | "clusterDomain">,
  cluster: Pick<Cluster, "namespace" | "server">,
  { foreign, systemNames }: { foreign: Pick<ForeignNames, "names" | "onChange">; systemNames: NamesElsewhere },
): HostNamePolicy {
  const topLevel = new Set(tlds);
  const fixed = new Set([hostname().toLowerCase(), cluster.server.hostname.toLowerCase()]);
  const context = cluster.namespace === undefined ? [] : [cluster.namespace];
  const shortNamesFor = shortNamesNamespace(options, cluster);
  return {
    clusterDomain: options.clusterDomain,
    namedNamespaces: new Set([...options.namespaces, ...options.allowSuffixes, ...context]),
    shortNamesFor,
    isTopLevelDomain: (word) => topLevel.has(word),
    taken: { has: (name) => fixed.has(name) || foreign.names.has(name) },
    resolvesElsewhere: (name) => systemNames.resolvesElsewhere(name),
    get settled() {
      return systemNames.settled;
    },
    onChange(listener) {
      const answers = systemNames.onAnswer((name) => {
        if (shortNamesFor !== undefined) listener(serviceKey(shortNamesFor, name));
      });
      const changes = foreign.onChange(() => listener("all"));
      return {
        [Symbol.dispose]() {
          answers[Symbol.dispose]();
          changes[Symbol.dispose]();
        },
      };
    },
  };
}

/** The namespace whose services get their bare name too; undefined when none does. */
export function shortNamesNamespace(
  { shortNames }: Pick<DaemonOptions, "shortNames">,
  { namespace }: Pick<Cluster, "namespace">,
): string | undefined {
  const wanted = shortNames ?? namespace ?? "default";
  return wanted === "off" ? undefined : wanted;
}
