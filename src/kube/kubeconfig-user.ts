/** Who we are, from a kubeconfig's user: by which of its fields, as client-go chooses them (clientcmd, transport). */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { bearer, type Credential, type Credentials, staticCredentials, tokenFromFile } from "./credentials.ts";
import { ExecCredentials } from "./exec-credentials.ts";
import { execClusterInfo, parseExecPlugin } from "./exec-plugin.ts";
import { headerValue } from "./header-text.ts";
import { impersonationHeaders } from "./impersonation.ts";
import { at } from "./json.ts";
import { inFolder, type KubeconfigEntry, wordAt } from "./kubeconfig-file.ts";
import type { PluginHost, StartPlugin } from "./run-plugin.ts";
import { pluginStarter } from "./start-plugin.ts";
import type { TlsOptions } from "./tls-client.ts";

/** What a user's credentials need of the world. */
export interface UserHost {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => Promise<Uint8Array>;
  readonly clock: Clock;
  /** Why no credential plug-in may be run here; a user who needs one is refused with this sentence. */
  readonly execRefused?: string | undefined;
  /** Starts plug-ins; as processes when left out. */
  readonly startPlugin?: StartPlugin | undefined;
  /** Says whether stdin is a terminal that a plug-in may have; never when left out. */
  readonly hasTerminal?: (() => boolean) | undefined;
  /** Gets what plug-ins write to stderr, as it comes: it is for the user. */
  readonly showPluginOutput?: ((chunk: Uint8Array) => void) | undefined;
}

/** A user of a cluster, ready to be read. */
export interface UserEntries {
  readonly userName: string;
  readonly user: KubeconfigEntry;
  readonly cluster: KubeconfigEntry;
  readonly tls: TlsOptions;
  readonly isEncrypted: boolean;
}

/**
 * The user's credentials. What stands in the kubeconfig wins over a plug-in, and over plain http nothing secret is sent,
 * as with kubectl.
 * @throws LocalizerError `usage` naming user and field, `denied` when a plug-in is needed and refused
 */
export function readUser(host: UserHost, entries: UserEntries): Credentials | ExecCredentials {
  const { userName, user, tls } = entries;
  refuseUnsupported(userName, user.value);
  const headers = impersonationHeaders(userName, user.value);
  if (!entries.isEncrypted) return staticCredentials(headers);
  const token = wordAt(user.value, "token");
  const tokenFile = wordAt(user.value, "tokenFile");
  const basic = basicHeaders(user.value);
  if (basic !== undefined && (token !== undefined || tokenFile !== undefined)) {
    const sentence = `Cannot log in as "${userName}": it has both a token and a user name with password; remove one`;
    throw new LocalizerError("usage", sentence);
  }
  const authorization = token === undefined ? undefined : headerValue(userName, token);
  if (tokenFile !== undefined) {
    return tokenFromFile(inFolder(user, tokenFile), host.readFile, { fallback: authorization, headers });
  }
  if (authorization !== undefined) return staticCredentials({ ...headers, authorization: bearer(authorization) });
  if (basic !== undefined) return staticCredentials({ ...headers, ...basic });
  const hasPlugin = isGiven(user.value, "exec") && tls.cert === undefined;
  return hasPlugin ? pluginCredentials(host, entries, headers) : staticCredentials(headers);
}

function pluginCredentials(host: UserHost, entries: UserEntries, headers: Credential["headers"]): ExecCredentials {
  const { userName, user, cluster, tls } = entries;
  const plugin = parseExecPlugin(userName, user, execClusterInfo(cluster.value, tls.ca));
  if (host.execRefused !== undefined) throw new LocalizerError("denied", host.execRefused);
  const pluginHost: PluginHost = {
    clock: host.clock,
    start: host.startPlugin ?? pluginStarter(host.clock),
    env: host.env,
    hasTerminal: host.hasTerminal ?? (() => false),
    show: host.showPluginOutput ?? (() => {}),
  };
  return new ExecCredentials({ host: pluginHost, plugin }, { userName, headers });
}

/** Ignoring it would act as somebody else. */
function refuseUnsupported(userName: string, user: unknown): void {
  if (!isGiven(user, "auth-provider")) return;
  const name = wordAt(user, "auth-provider", "name");
  const which = name === undefined ? "auth-provider" : `the auth-provider "${name}"`;
  const hint = "kubectl has dropped it too; use the credential plug-in (exec) of the same provider";
  throw new LocalizerError("usage", `Cannot log in as "${userName}": ${which} is not supported; ${hint}`);
}

/** RFC 7617. */
function basicHeaders(user: unknown): Credential["headers"] | undefined {
  const name = wordAt(user, "username");
  const password = wordAt(user, "password");
  if (name === undefined && password === undefined) return undefined;
  const pair = Buffer.from(`${name ?? ""}:${password ?? ""}`, "utf8").toString("base64");
  return { authorization: `Basic ${pair}` };
}

/** Null counts as not given, as for kubectl: many tools write `auth-provider: null`. */
function isGiven(entry: unknown, field: string): boolean {
  const value = at(entry, field);
  return value !== undefined && value !== null && value !== "";
}
