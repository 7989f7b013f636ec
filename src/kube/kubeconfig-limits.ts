/** What a kubeconfig may ask for and localizer cannot do yet. Each is refused by name: ignoring it would act as somebody else. */
import { LocalizerError } from "../errors.ts";
import { at } from "./json.ts";

/** The entries that a context refers to. */
export interface ChosenEntries {
  readonly clusterName: string;
  readonly cluster: unknown;
  readonly userName: string;
  readonly user: unknown;
}

/** @throws LocalizerError `usage` naming the field, whose it is and what to do instead */
export function refuseUnsupported({ clusterName, cluster, userName, user }: ChosenEntries): void {
  const asUser = `Cannot log in as "${userName}"`;
  const instead = "use a client certificate, token or tokenFile for now";
  if (given(user, "exec")) refuse(`${asUser}: credential plug-ins (exec) are not supported yet; ${instead}`);
  if (given(user, "auth-provider")) refuse(`${asUser}: auth-provider is not supported; ${instead}`);
  if (given(user, "username") || given(user, "password")) {
    refuse(`${asUser}: user name and password are not supported; ${instead}`);
  }
  for (const field of ["as", "as-uid", "as-groups", "as-user-extra"]) {
    if (given(user, field)) refuse(`${asUser}: impersonation (${field}) is not supported yet; name a user without it`);
  }
  if (given(cluster, "proxy-url")) {
    const hint = "name a cluster that can be reached directly";
    refuse(`Cannot reach the cluster "${clusterName}": proxy-url is not supported yet; ${hint}`);
  }
}

/** Empty values count as not given, as for kubectl: many tools write `auth-provider: null` or `as-groups: []`. */
function given(entry: unknown, field: string): boolean {
  const value = at(entry, field);
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== "";
}

function refuse(sentence: string): never {
  throw new LocalizerError("usage", sentence);
}
