/** What kubectl makes of a set of kubeconfigs, and what loadCluster makes of it, in the same terms. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { at, flagAt, listAt, textAt } from "../../src/kube/json.ts";
import type { LoadedCluster } from "../../src/kube/kubeconfig.ts";
import { runCommand } from "../cluster/run-command.ts";
import { turns } from "../support/event-loop.ts";
import { makeCertificate } from "../support/fake-api-server.ts";
import type { FakePlugin } from "../support/fake-plugin.ts";

/** As kubeconfigs hold it. */
export const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64");
/** One for each folder, good as an authority and as a user's. */
const made = await Promise.all([makeCertificate(), makeCertificate(), makeCertificate()]);

/** The certificate of folder `index`. */
export function certificateOf(index: number): { readonly cert: Buffer; readonly key: Buffer } {
  const certificate = made[index];
  assert.ok(certificate !== undefined);
  return certificate;
}

/** Writes them to folders 0, 1, … of `root`, with the files that they may name; gives the paths for KUBECONFIG. */
export function writeSet(root: string, files: readonly (object | string | null)[]): readonly string[] {
  const paths = files.map((file, index) => {
    const folder = join(root, String(index));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "ca.crt"), `# authority of ${index}\n${certificateOf(index).cert}`);
    writeFileSync(join(folder, "cert.pem"), certificateOf(index).cert);
    writeFileSync(join(folder, `tok-${index}`), `tok-${index} of ${index}`);
    const text = typeof file === "string" ? file : JSON.stringify(file);
    if (file !== null) writeFileSync(join(folder, "config"), text);
    return join(folder, "config");
  });
  return [...paths.slice(0, 1), join(root, "missing"), "", ...paths.slice(1)];
}

/** What kubectl makes of it; undefined when it fails. */
export async function kubectlView(kubectlPath: string, list: string): Promise<unknown> {
  const args = ["config", "view", "--raw", "--flatten", "--minify", "-o", "json"];
  const env = { ...process.env, KUBECONFIG: list };
  try {
    return JSON.parse(await runCommand(kubectlPath, args, { env, timeoutMs: 120_000 }));
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    return undefined;
  }
}

/** What matters of kubectl's view; `factsOfCluster` gives the same of ours. */
export function factsOfView(view: unknown, root: string) {
  const context = listAt(view, "contexts")[0];
  const cluster = listAt(view, "clusters")[0];
  const user = at(listAt(view, "users")[0], "user") ?? {};
  const index = (textAt(user, "tokenFile") ?? textAt(user, "exec", "command") ?? "").slice(-1);
  const command = textAt(user, "exec", "command");
  const file = textAt(user, "tokenFile") === undefined ? undefined : `tok-${index} of ${index}`;
  const token = file ?? textAt(user, "token");
  const password = textAt(user, "password");
  const basic = password === undefined ? undefined : `Basic ${base64(`${textAt(user, "username")}:${password}`)}`;
  return {
    context: textAt(view, "current-context"),
    cluster: textAt(cluster, "name"),
    user: textAt(context, "context", "user"),
    namespace: textAt(context, "context", "namespace"),
    server: new URL(textAt(cluster, "cluster", "server") ?? "").href,
    ca: textAt(cluster, "cluster", "certificate-authority-data"),
    serverName: textAt(cluster, "cluster", "tls-server-name"),
    insecure: flagAt(cluster, "cluster", "insecure-skip-tls-verify") === true,
    cert: textAt(user, "client-certificate-data"),
    key: textAt(user, "client-key-data"),
    authorization: token === undefined ? basic : `Bearer ${token}`,
    as: textAt(user, "as"),
    groups: at(user, "as-groups"),
    command: command?.startsWith("./") ? join(root, index, command) : command,
    args: at(user, "exec", "args") ?? undefined,
  };
}

/** What matters of a cluster that was loaded; a plug-in is started to see what it is told, and ended. */
export async function factsOfCluster(loaded: LoadedCluster, plugin: FakePlugin) {
  const credential = loaded.credentials.current();
  credential.catch(() => {});
  await turns();
  const run = plugin.runs.at(-1)?.command;
  if (run !== undefined) await loaded[Symbol.asyncDispose]();
  const headers = run === undefined ? (await credential).headers : {};
  const args = run?.args.length === 0 ? undefined : run?.args;
  return {
    context: loaded.contextName,
    cluster: loaded.clusterName,
    user: loaded.userName,
    namespace: loaded.namespace,
    server: loaded.server.href,
    ca: loaded.tls.ca?.toString("base64"),
    serverName: loaded.tls.servername,
    insecure: !loaded.tls.rejectUnauthorized,
    cert: loaded.tls.cert?.toString("base64"),
    key: loaded.tls.key?.toString("base64"),
    authorization: headers.authorization,
    as: headers["impersonate-user"],
    groups: headers["impersonate-group"],
    command: run?.command,
    args,
  };
}
