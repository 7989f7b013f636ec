/** Which Services are not even listed, and why, for whoever looks for one of them. Pure. */
import type { CacheScope } from "../kube/scope-choice.ts";
import type { WatchStatus } from "../kube/service-watches.ts";
import type { LeftOut } from "../rpc/listed.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** Left out unless the user names it: what runs there is the cluster's own. */
export const systemNamespaces: readonly string[] = ["kube-system"];

/** What decides. */
export interface LeftOutSources {
  readonly options: Pick<DaemonOptions, "namespaces" | "skipNamespaces">;
  readonly scope: CacheScope;
  readonly watches: readonly WatchStatus[];
}

/** The most particular first; the first that fits is the reason. */
export function leftOutOf({ options, scope, watches }: LeftOutSources): readonly LeftOut[] {
  const { namespaces, skipNamespaces } = options;
  const skipped = (namespace: string, reason: string, name = ""): LeftOut => {
    return { namespace, name, status: "skipped", reason };
  };
  const found = [
    skipped("default", "it is the API server itself", "kubernetes"),
    ...skipNamespaces.map((name) => skipped(name, `--skip-namespace ${name} leaves it out`)),
  ];
  for (const name of systemNamespaces) {
    if (!namespaces.includes(name)) found.push(skipped(name, `it is left out unless "--namespace ${name}" brings it`));
  }
  for (const { plural, state, namespace, lastError } of watches) {
    if (plural !== "services" || state !== "denied") continue;
    found.push({ namespace: namespace ?? "*", name: "", status: "denied", reason: lastError?.message ?? "" });
  }
  if (scope.because !== undefined) {
    found.push({ namespace: "*", name: "", status: "denied", reason: scope.because.message });
  } else if (scope.namespaces !== undefined) {
    found.push(skipped("*", `the daemon follows only ${scope.namespaces.join(", ")}; "--namespace" adds others`));
  }
  return found;
}
