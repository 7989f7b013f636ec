/** The first call to the API server: whether it is there, and knows us. */
import { LocalizerError } from "../errors.ts";
import { apiStatusOf } from "../kube/api-status.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { type VersionClient, versionOf } from "./server-version.ts";

/**
 * Asks for the API server's version. Any answer of an API server but 401 will do: hardened clusters keep /version from
 * most users, and one that is not quite up says so at the lists. Gives the version, empty where it is not told.
 * @throws LocalizerError `unauthenticated` naming the user when it does not know us, `unavailable` when it cannot be
 * reached or something else answers in its place, `aborted`
 */
export async function reachCluster(client: VersionClient, cluster: Cluster, signal: AbortSignal): Promise<string> {
  try {
    return versionOf(await client.getJson("/version", { signal }));
  } catch (error) {
    const status = apiStatusOf(error);
    if (status?.httpStatus === 401) throw notAccepted(cluster, error);
    if (status === undefined || !isOfApiServer(status)) throw error;
    return "";
  }
}

/** A load balancer, or a proxy's log-in page, answers without a Status; small API servers do so for these two. */
function isOfApiServer({ httpStatus, reason }: { readonly httpStatus: number; readonly reason: string }): boolean {
  return reason !== "" || httpStatus === 403 || httpStatus === 404;
}

function notAccepted({ credentials, userName, contextName }: Cluster, cause: unknown): LocalizerError {
  if (credentials.failure !== undefined) return credentials.failure;
  const sentence =
    userName === ""
      ? `The cluster does not accept a request without credentials: the context "${contextName}" names no user`
      : `The cluster does not accept the credentials of "${userName}"`;
  return new LocalizerError("unauthenticated", sentence, { cause });
}
