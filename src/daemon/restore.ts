/** `localizer restore`: puts back what exposures have left whose daemons are gone, from any machine, with or without a daemon. */
import { systemClock as clock } from "../clock.ts";
import { newClaim } from "../expose/claim.ts";
import { type RestoreOptions, type RestoreResult, type RestoreScope, restoreForgotten } from "../expose/forgotten.ts";
import { reap } from "../expose/reaper.ts";
import type { ExposeLine } from "../expose/report.ts";
import type { SearchComponents } from "../expose/suspects.ts";
import { ApiClient } from "../kube/api-client.ts";
import { Discovery } from "../kube/discovery.ts";
import { Objects } from "../kube/objects.ts";
import { serviceKey } from "../model/service-key.ts";
import { clusterOf } from "./cluster-source.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { userAtHost } from "./user-at-host.ts";

/** Sessions of that Service in the context's namespace. */
export interface ContextService {
  readonly service: string;
}

/** What is restored, and how. */
export interface RestoreRequest {
  /** `context`: all of the context's namespace. */
  readonly scope: RestoreScope | "context" | ContextService;
  /** How long a workload may take to become ready before the session's pod goes. */
  readonly waitMs: number;
  readonly graceMs: number;
  readonly report: (line: ExposeLine) => void;
}

/** What came of one look, and where it was: `namespace "shop" of context "test"`. */
export type Restored = RestoreResult & { readonly where: string };

/** What is loaded by the command, and not before. */
export interface Restorer {
  /**
   * Looks once, and puts back.
   * @throws LocalizerError when the cluster cannot be reached, or nothing may be looked at; `aborted`
   */
  once(options: DaemonOptions, request: RestoreRequest, signal: AbortSignal): Promise<Restored>;
  /**
   * Looks every so often until the signal fires; `onStart` gets where. Failures are reported, and the next look tries again.
   * @throws LocalizerError when no kubeconfig can be used
   */
  repeatedly(
    options: DaemonOptions,
    request: RestoreRequest & { readonly everyMs: number; readonly onStart: (where: string) => void },
    signal: AbortSignal,
  ): Promise<void>;
}

/** The real one. */
export const restorer: Restorer = {
  async once(options, request, signal) {
    await using place = await placeOf(options, request);
    const result = await restoreForgotten(place.components, place.scope, optionsOf(request, signal));
    return { ...result, where: place.where };
  },
  async repeatedly(options, request, signal) {
    await using place = await placeOf(options, request);
    request.onStart(place.where);
    const { namespaces } = place.scope;
    await reap(place.components, { ...optionsOf(request, signal), everyMs: request.everyMs, namespaces });
  },
};

async function placeOf(options: DaemonOptions, { scope: asked }: RestoreRequest) {
  await using stack = new AsyncDisposableStack();
  const cluster = stack.use(await clusterOf(options, clock));
  const client = stack.use(new ApiClient({ cluster, clock }, { version: options.version }));
  const components: SearchComponents = { objects: new Objects(client), discovery: new Discovery(client), clock };
  const scope = scopeIn(cluster.namespace ?? "default", asked);
  const where = `${describePlaces(scope.namespaces)} of context "${cluster.contextName}"`;
  const works = stack.move();
  return { components, scope, where, [Symbol.asyncDispose]: () => works.disposeAsync() };
}

/** Where that is, in a context with this namespace. Pure. */
export function scopeIn(own: string, asked: RestoreRequest["scope"]): RestoreScope {
  if (asked === "context") return { namespaces: [own] };
  return "service" in asked ? { namespaces: [own], key: serviceKey(own, asked.service) } : asked;
}

function optionsOf({ waitMs, graceMs, report }: RestoreRequest, signal: AbortSignal): RestoreOptions {
  return { signal, report, waitMs, graceMs, by: newClaim(userAtHost()) };
}

function describePlaces(namespaces: readonly string[] | undefined): string {
  if (namespaces === undefined) return "all namespaces";
  const names = namespaces.map((name) => `"${name}"`).join(", ");
  return namespaces.length === 1 ? `namespace ${names}` : `namespaces ${names}`;
}
