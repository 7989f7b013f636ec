/** `localizer restore`: puts back what exposures have left whose daemons are gone, from any machine, with or without a daemon. */
import { systemClock as clock } from "../clock.ts";
import { type RestoreResult, type RestoreScope, restoreForgotten } from "../expose/forgotten.ts";
import type { ExposeLine } from "../expose/report.ts";
import { ApiClient } from "../kube/api-client.ts";
import { Discovery } from "../kube/discovery.ts";
import { Objects } from "../kube/objects.ts";
import { clusterOf } from "./cluster-source.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** What is restored, and how. */
export interface RestoreRequest {
  /** All namespaces when undefined; `context`: the context's own. */
  readonly scope: RestoreScope | "context";
  /** How long a workload may take to become ready before the session's pod goes. */
  readonly waitMs: number;
  readonly graceMs: number;
  readonly report: (line: ExposeLine) => void;
}

/** What is loaded by the command, and not before. */
export type RunRestore = (
  options: DaemonOptions,
  request: RestoreRequest,
  signal: AbortSignal,
) => Promise<RestoreResult & { readonly where: string }>;

/**
 * Looks once, and puts back.
 * @throws LocalizerError when the cluster cannot be reached, or nothing may be looked at; `aborted`
 */
export const runRestore: RunRestore = async (options, { scope, waitMs, graceMs, report }, signal) => {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await clusterOf(options, clock));
  const client = stack.use(new ApiClient({ cluster, clock }, { version: options.version }));
  const where = scope === "context" ? { namespace: cluster.namespace ?? "default" } : scope;
  const components = { objects: new Objects(client), discovery: new Discovery(client), clock };
  const result = await restoreForgotten(components, where, { signal, report, waitMs, graceMs });
  const place = where.namespace === undefined ? "all namespaces" : `namespace "${where.namespace}"`;
  return { ...result, where: `${place} of context "${cluster.contextName}"` };
};
