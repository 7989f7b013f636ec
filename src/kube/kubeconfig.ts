/**
 * Which cluster, and who we are there: reads the kubeconfig as kubectl would and resolves one context of it.
 * Promises that nothing is ignored that would change whom we talk to: what is not supported is refused by name.
 * Used by daemon and, as the type Cluster, by everything that talks to the API server.
 */
import { delimiter, isAbsolute, join, resolve } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";
import { type Credentials, staticCredentials, staticToken, tokenFromFile } from "./credentials.ts";
import { flagAt } from "./json.ts";
import { type KubeconfigEntry, type KubeconfigFile, parseKubeconfig, wordAt } from "./kubeconfig-file.ts";
import { refuseUnsupported } from "./kubeconfig-limits.ts";
import { TlsClient, type TlsOptions } from "./tls-client.ts";

/** One cluster and one user of it, ready to be dialled. */
export interface Cluster {
  readonly contextName: string;
  readonly clusterName: string;
  readonly userName: string;
  /** The API server, with the path that all its paths are joined to ("/" when there is none). */
  readonly server: URL;
  /** The proxy that leads to it (`http:`, `https:` or `socks5:`, perhaps with user and password); undefined: none. */
  readonly proxy?: URL | undefined;
  /** The context's namespace, if it names one. */
  readonly namespace: string | undefined;
  readonly tls: TlsOptions;
  readonly credentials: Credentials;
  /** What its connections share (parsed certificates, TLS sessions). Without it each starts afresh. */
  readonly tlsClient?: TlsClient;
}

/** Where to look, and what the world looks like there. */
export interface LoadClusterOptions {
  /** `--kubeconfig`: wins over the environment. */
  readonly path?: string | undefined;
  /** `--context`: wins over the file's current-context. */
  readonly context?: string | undefined;
  /** Of it, KUBECONFIG is read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
  readonly readFile: (path: string) => Promise<Uint8Array>;
}

/**
 * Loads the kubeconfig and resolves a context.
 * @throws LocalizerError `not-found` when a file, the context, or what it refers to does not exist, `denied` when a
 * file may not be read, `usage` when its text is wrong or asks for something that is not supported
 */
export async function loadCluster(options: LoadClusterOptions): Promise<Cluster> {
  const path = kubeconfigPath(options);
  const text = Buffer.from(await readNamed(options, path, "the kubeconfig")).toString("utf8");
  const file = parseKubeconfig(path, text);
  const contextName = options.context ?? file.currentContext;
  if (contextName === undefined) {
    const known = file.contexts.size > 0 ? `; known are ${quoteAll(file.contexts)}` : "";
    throw new LocalizerError("usage", `Cannot choose a cluster: "${path}" has no current-context${known}`);
  }
  const context = entryOf(file, "contexts", contextName);
  const clusterName = wordAt(context.value, "cluster");
  const userName = wordAt(context.value, "user");
  if (clusterName === undefined) {
    throw new LocalizerError("usage", `Cannot use the context "${contextName}": it names no cluster`);
  }
  const cluster = entryOf(file, "clusters", clusterName);
  const user = userName === undefined ? { value: {}, folder: "" } : entryOf(file, "users", userName);
  refuseUnsupported({ clusterName, cluster: cluster.value, userName: userName ?? "", user: user.value });
  const tls = await readTls(options, clusterName, cluster, userName ?? "", user);
  return {
    contextName,
    clusterName,
    userName: userName ?? "",
    server: parseServer(clusterName, wordAt(cluster.value, "server"), tls),
    namespace: wordAt(context.value, "namespace"),
    tls,
    credentials: readCredentials(options, user),
    tlsClient: new TlsClient(tls),
  };
}

function kubeconfigPath({ path, env, home }: LoadClusterOptions): string {
  if (path !== undefined && path !== "") return resolve(path);
  const { KUBECONFIG: paths = "" } = env;
  const named = [...new Set(paths.split(delimiter).filter((part) => part !== ""))];
  if (named.length > 1) {
    const sentence = "Cannot merge kubeconfigs: KUBECONFIG names several files, which is not supported yet";
    throw new LocalizerError("usage", `${sentence}; name one, or merge them with kubectl config view --flatten`);
  }
  return named[0] === undefined ? join(home, ".kube", "config") : resolve(named[0]);
}

function entryOf(file: KubeconfigFile, list: "contexts" | "clusters" | "users", name: string): KubeconfigEntry {
  const entry = file[list].get(name);
  if (entry !== undefined) return entry;
  const known = file[list].size > 0 ? `known are ${quoteAll(file[list])}` : `there are no ${list}`;
  throw new LocalizerError("not-found", `Cannot find the ${list.slice(0, -1)} "${name}" in "${file.path}": ${known}`);
}

async function readTls(
  options: LoadClusterOptions,
  clusterName: string,
  cluster: KubeconfigEntry,
  userName: string,
  user: KubeconfigEntry,
): Promise<TlsOptions> {
  const insecure = flagAt(cluster.value, "insecure-skip-tls-verify") === true;
  const ca = await readPem(options, cluster, "certificate-authority");
  if (insecure && ca !== undefined) {
    const sentence = `Cannot use the cluster "${clusterName}": it has both a certificate-authority`;
    throw new LocalizerError("usage", `${sentence} and insecure-skip-tls-verify`);
  }
  const cert = await readPem(options, user, "client-certificate");
  const key = await readPem(options, user, "client-key");
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? "client-certificate" : "client-key";
    throw new LocalizerError("usage", `Cannot use the user "${userName}": it has no ${missing} to go with the other`);
  }
  const servername = wordAt(cluster.value, "tls-server-name");
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(servername === undefined ? {} : { servername }),
    rejectUnauthorized: !insecure,
  };
}

/** `<name>-data` (base64) wins over `<name>` (a file), as in kubectl. */
async function readPem(options: LoadClusterOptions, entry: KubeconfigEntry, name: string): Promise<Buffer | undefined> {
  const data = wordAt(entry.value, `${name}-data`);
  if (data !== undefined) return Buffer.from(data, "base64");
  const path = wordAt(entry.value, name);
  if (path === undefined) return undefined;
  return Buffer.from(await readNamed(options, inFolder(entry, path), `the ${name}`));
}

function readCredentials(options: LoadClusterOptions, user: KubeconfigEntry): Credentials {
  const token = wordAt(user.value, "token");
  const tokenFile = wordAt(user.value, "tokenFile");
  if (tokenFile !== undefined) return tokenFromFile(inFolder(user, tokenFile), options.readFile, token);
  return token === undefined ? staticCredentials() : staticToken(token);
}

/** As client-go's DefaultServerURL: without a scheme it is https if anything is said about TLS, else http. */
function parseServer(clusterName: string, text: string | undefined, tls: TlsOptions): URL {
  const action = `Cannot use the cluster "${clusterName}"`;
  if (text === undefined) throw new LocalizerError("usage", `${action}: it has no server`);
  const scheme = tls.ca !== undefined || tls.cert !== undefined || !tls.rejectUnauthorized ? "https" : "http";
  const url = URL.parse(text.includes("://") ? text : `${scheme}://${text}`);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new LocalizerError("usage", `${action}: its server "${text}" is no http or https URL`);
  }
  return url;
}

async function readNamed(options: LoadClusterOptions, path: string, what: string): Promise<Uint8Array> {
  try {
    return await options.readFile(path);
  } catch (error) {
    const action = `Cannot read ${what} "${path}"`;
    switch (errnoOf(error)) {
      case "ENOENT":
      case "ENOTDIR":
        throw new LocalizerError("not-found", `${action}: there is no such file`, { cause: error });
      case "EACCES":
      case "EPERM":
        throw new LocalizerError("denied", `${action}: its permissions do not let this user`, { cause: error });
      default:
        throw LocalizerError.wrap(error, action, "usage");
    }
  }
}

function inFolder(entry: KubeconfigEntry, path: string): string {
  return isAbsolute(path) ? path : join(entry.folder, path);
}

function quoteAll(names: ReadonlyMap<string, unknown>): string {
  return [...names.keys()].map((name) => `"${name}"`).join(", ");
}
