/**
 * Which cluster, and who we are there: reads the kubeconfig as kubectl would and resolves one context of it.
 * Promises that nothing is ignored that would change whom we talk to: what is not supported is refused by name.
 * Used by daemon and, as the type Cluster, by everything that talks to the API server.
 */
import { systemClock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Credentials } from "./credentials.ts";
import { inCluster } from "./in-cluster.ts";
import { flagAt } from "./json.ts";
import { type KubeconfigEntry, type KubeconfigFile, wordAt } from "./kubeconfig-file.ts";
import { type KubeconfigSource, kubeconfigPaths, readKubeconfig } from "./kubeconfig-merge.ts";
import { readTls, type TlsEntries } from "./kubeconfig-tls.ts";
import { readUser, type UserHost } from "./kubeconfig-user.ts";
import { parseProxy, proxyFromEnvironment } from "./proxy-from-environment.ts";
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

/** A cluster that was loaded. Disposing it ends a credential plug-in that may be running. */
export interface LoadedCluster extends Cluster, AsyncDisposable {}

/** Where to look, and what the world looks like there. Of `env`, KUBECONFIG, the proxies and a pod's own variables are read. */
export interface LoadClusterOptions extends KubeconfigSource, Omit<UserHost, "clock"> {
  /** `--context`: wins over the file's current-context. */
  readonly context?: string | undefined;
  /** The system's when left out. */
  readonly clock?: UserHost["clock"];
}

/**
 * Loads the kubeconfig and resolves a context. Without any kubeconfig, in a pod, its service account and cluster.
 * @throws LocalizerError `not-found` when a file, the context, or what it refers to does not exist, `denied` when a
 * file may not be read or a plug-in is refused, `usage` when its text is wrong or asks for something not supported
 */
export async function loadCluster(options: LoadClusterOptions): Promise<LoadedCluster> {
  const file = await readKubeconfig(options);
  if (file === undefined) return await clusterOfPod(options);
  const contextName = options.context ?? file.currentContext;
  if (contextName === undefined) {
    const known = file.contexts.size > 0 ? `; known are ${quoteAll(file.contexts)}` : "";
    throw new LocalizerError("usage", `Cannot choose a cluster: ${file.place} has no current-context${known}`);
  }
  const { context, ...entries } = entriesOf(file, contextName);
  const { clusterName, cluster } = entries;
  const tls = await readTls(options, entries);
  const server = parseServer(entries);
  const proxy = proxyOf(clusterName, cluster, server, options.env);
  const host = { ...options, clock: options.clock ?? systemClock };
  const credentials = readUser(host, { ...entries, tls, isEncrypted: server.protocol === "https:" });
  return {
    contextName,
    clusterName,
    userName: entries.userName,
    server,
    proxy,
    namespace: wordAt(context.value, "namespace"),
    tls,
    credentials,
    tlsClient: new TlsClient(tls),
    async [Symbol.asyncDispose]() {
      if (Symbol.asyncDispose in credentials) await credentials[Symbol.asyncDispose]();
    },
  };
}

/**
 * Where a context leads, and as whom. Pure.
 * @throws LocalizerError as `loadCluster`
 */
export function destinationOf(file: KubeconfigFile, contextName: string): Pick<Cluster, "server" | "userName"> {
  const entries = entriesOf(file, contextName);
  return { server: parseServer(entries), userName: entries.userName };
}

async function clusterOfPod(options: LoadClusterOptions): Promise<LoadedCluster> {
  const pod = options.context === undefined ? await inCluster(options) : undefined;
  if (pod === undefined) throw noKubeconfig(options);
  const tls = { ...(pod.ca === undefined ? {} : { ca: pod.ca }), rejectUnauthorized: true };
  const name = "in-cluster";
  return {
    contextName: name,
    clusterName: name,
    userName: name,
    server: pod.server,
    proxy: proxyFromEnvironment(pod.server, options.env),
    namespace: pod.namespace,
    tls,
    credentials: pod.credentials,
    tlsClient: new TlsClient(tls),
    async [Symbol.asyncDispose]() {},
  };
}

function noKubeconfig(options: LoadClusterOptions): LocalizerError {
  const paths = kubeconfigPaths(options).map((path) => `"${path}"`);
  const [path = "KUBECONFIG", ...others] = paths;
  const sentence =
    paths.length === 0
      ? "Cannot find a kubeconfig: KUBECONFIG names no file"
      : others.length === 0
        ? `Cannot read the kubeconfig ${path}: there is no such file, or it is empty`
        : `Cannot find a kubeconfig: of ${paths.join(", ")} none exists, or all are empty`;
  return new LocalizerError("not-found", `${sentence}; name one with --kubeconfig or KUBECONFIG`);
}

function entriesOf(file: KubeconfigFile, contextName: string): TlsEntries & { readonly context: KubeconfigEntry } {
  const context = entryOf(file, "contexts", contextName);
  const clusterName = wordAt(context.value, "cluster");
  const userName = wordAt(context.value, "user");
  if (clusterName === undefined) {
    throw new LocalizerError("usage", `Cannot use the context "${contextName}": it names no cluster`);
  }
  const cluster = entryOf(file, "clusters", clusterName);
  const user = userName === undefined ? { value: {}, folder: "" } : entryOf(file, "users", userName);
  return { context, clusterName, cluster, userName: userName ?? "", user };
}

function entryOf(file: KubeconfigFile, list: "contexts" | "clusters" | "users", name: string): KubeconfigEntry {
  const entry = file[list].get(name);
  if (entry !== undefined) return entry;
  const known = file[list].size > 0 ? `known are ${quoteAll(file[list])}` : `there are no ${list}`;
  throw new LocalizerError("not-found", `Cannot find the ${list.slice(0, -1)} "${name}" in ${file.place}: ${known}`);
}

/** As client-go's DefaultServerURL: without a scheme it is https if anything is said about TLS, else http. */
function parseServer({ clusterName, cluster, user }: TlsEntries): URL {
  const action = `Cannot use the cluster "${clusterName}"`;
  const text = wordAt(cluster.value, "server");
  if (text === undefined) throw new LocalizerError("usage", `${action}: it has no server`);
  const scheme = saysTls(cluster, user) ? "https" : "http";
  const url = URL.parse(text.includes("://") ? text : `${scheme}://${text}`);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new LocalizerError("usage", `${action}: its server "${withoutUser(text)}" is no http or https URL`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new LocalizerError("usage", `${action}: its server holds a user name or password; give them to the user`);
  }
  url.search = "";
  url.hash = "";
  return url;
}

function saysTls(cluster: KubeconfigEntry, user: KubeconfigEntry): boolean {
  const given = (entry: KubeconfigEntry, name: string) =>
    (wordAt(entry.value, name) ?? wordAt(entry.value, `${name}-data`)) !== undefined;
  const isInsecure = flagAt(cluster.value, "insecure-skip-tls-verify") === true;
  return given(cluster, "certificate-authority") || given(user, "client-certificate") || isInsecure;
}

/** A user name and password before the host are nobody's business: they end up in logs. */
function withoutUser(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1…@");
}

/** `proxy-url` is for this cluster alone, so NO_PROXY does not touch it. */
function proxyOf(
  clusterName: string,
  cluster: KubeconfigEntry,
  server: URL,
  env: LoadClusterOptions["env"],
): URL | undefined {
  const text = wordAt(cluster.value, "proxy-url");
  if (text === undefined) return proxyFromEnvironment(server, env);
  if (text.includes("://")) return parseProxy(text, `the cluster "${clusterName}"`);
  const sentence = `Cannot use the proxy-url of the cluster "${clusterName}": it has no scheme`;
  throw new LocalizerError("usage", `${sentence}; write http://, https:// or socks5:// before it`);
}

function quoteAll(names: ReadonlyMap<string, unknown>): string {
  return [...names.keys()].map((name) => `"${name}"`).join(", ");
}
