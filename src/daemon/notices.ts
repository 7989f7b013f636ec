/** What concerns the daemon as a whole and asks for somebody's attention: one sentence each, for `list`. Pure. */
import type { LocalizerError } from "../errors.ts";
import type { CacheScope } from "../kube/scope-choice.ts";
import type { WatchStatus } from "../kube/service-watches.ts";

/** Where something may be wrong. */
export interface NoticeSources {
  /** The kubeconfig's current context, when it is not the one served. */
  readonly context: string | undefined;
  /** Why there is no credential. */
  readonly credentials: LocalizerError | undefined;
  readonly scope: CacheScope;
  readonly watches: readonly WatchStatus[];
  /** Why the hosts file was not written. */
  readonly hosts: LocalizerError | undefined;
  /** Which of the named namespaces do not exist. */
  readonly namespaces: readonly string[];
  /** What earlier daemons have left in the cluster and could not be put back. */
  readonly exposures: readonly string[];
  /** Who takes our names out of it. */
  readonly guard: string | undefined;
}

/** The sentences, those first that explain the others; none when all is well. */
export function noticesOf(sources: NoticeSources): readonly string[] {
  const { context, credentials, namespaces, exposures, scope, watches, hosts, guard } = sources;
  const notices = [context, credentials?.message, ...exposures, ...namespaces];
  if (scope.because !== undefined) {
    const only = (scope.namespaces ?? []).map((name) => `"${name}"`).join(", ");
    notices.push(`Only Services of ${only} are followed: ${scope.because.message}`);
  }
  for (const { state, lastError } of watches) {
    const isFailing = state === "retrying" || state === "denied";
    if (!isFailing || lastError === undefined) continue;
    // A credential that cannot be got is named above, and fails every watch.
    if (credentials === undefined || lastError.code !== "unauthenticated") notices.push(lastError.message);
  }
  if (hosts !== undefined) notices.push(`The hosts file is not up to date: ${hosts.message}`);
  notices.push(guard);
  return [...new Set(notices.filter((text) => text !== undefined))];
}
