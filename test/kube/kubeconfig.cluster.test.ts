/** Which entry of which kubeconfig counts: loadCluster against the test cluster's own kubectl, on generated sets of files. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { at, flagAt, listAt, textAt } from "../../src/kube/json.ts";
import { type LoadedCluster, loadCluster } from "../../src/kube/kubeconfig.ts";
import { startCluster } from "../cluster/cluster.ts";
import { runCommand } from "../cluster/run-command.ts";
import { turns } from "../support/event-loop.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakePlugin } from "../support/fake-plugin.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const running = await startCluster();
after(() => running[Symbol.asyncDispose]());

const limits = { timeout: 120_000 };
const names = ["a", "b", "c"] as const;
const name = fc.constantFrom(...names);
const base64 = (text: string) => Buffer.from(text).toString("base64");

/** A kubeconfig in folder `index`: what it says shows where it stands. */
function kubeconfig(index: number): fc.Arbitrary<object> {
  const list = (member: string, value: (name: string) => fc.Arbitrary<object>) =>
    fc
      .uniqueArray(name)
      .chain((chosen) => fc.tuple(...chosen.map((one) => value(one).map((given) => ({ name: one, [member]: given })))));
  const cluster = (one: string) => {
    const server = `https://${one}-${index}.example:6443`;
    return fc.constantFrom(
      { server },
      { server: `${server}/k8s/clusters/c-1`, "certificate-authority": "ca.crt", "tls-server-name": `name-${index}` },
      { server, "certificate-authority-data": base64(`CA data ${index}`) },
      { server, "certificate-authority-data": base64("CA"), "certificate-authority": "ca.crt" },
      { server, "insecure-skip-tls-verify": true },
      { server, "certificate-authority": "missing.crt" },
    );
  };
  const exec = { apiVersion: "client.authentication.k8s.io/v1beta1", command: `./login-${index}` };
  const user = (one: string) =>
    fc.constantFrom(
      {},
      { token: `token ${one} ${index}` },
      { tokenFile: `tok-${index}`, token: "fallback" },
      { tokenFile: `tok-${index}` },
      { username: one, password: String(index) },
      { "client-certificate": "cert.pem", "client-key-data": base64(`key data ${index}`) },
      { exec: { ...exec, args: ["x", one], env: [{ name: "A", value: one }] } },
      {
        exec: {
          ...exec,
          command: `login-${index}`,
          apiVersion: "client.authentication.k8s.io/v1",
          interactiveMode: "Never",
        },
      },
      { token: "t", as: `jane-${index}`, "as-groups": ["g1", "g2"] },
    );
  const namespace = fc.constantFrom({}, { namespace: `ns-${index}` });
  const context = () =>
    fc
      .tuple(name, name, namespace)
      .map(([itsCluster, itsUser, rest]) => ({ cluster: itsCluster, user: itsUser, ...rest }));
  return fc.record(
    {
      apiVersion: fc.constant("v1"),
      kind: fc.constant("Config"),
      "current-context": fc.oneof({ weight: 3, arbitrary: name }, fc.constantFrom("", "lost")),
      contexts: list("context", context),
      clusters: list("cluster", cluster),
      users: list("user", user),
    },
    { requiredKeys: [] },
  );
}

/** Folders 0 to 2, of which the last may be missing, and a file that never exists between them. */
const sets = fc.tuple(kubeconfig(0), kubeconfig(1), fc.option(kubeconfig(2)));

function writeSet(root: string, files: readonly (object | null)[]): readonly string[] {
  const paths = files.map((file, index) => {
    const folder = join(root, String(index));
    mkdirSync(folder, { recursive: true });
    for (const kept of ["ca.crt", "cert.pem", `tok-${index}`]) {
      writeFileSync(join(folder, kept), `${kept} of ${index}`);
    }
    if (file !== null) writeFileSync(join(folder, "config"), JSON.stringify(file));
    return join(folder, "config");
  });
  return [...paths.slice(0, 1), join(root, "missing"), "", ...paths.slice(1)];
}

/** What kubectl makes of it; undefined when it fails. */
async function kubectlView(list: string): Promise<unknown> {
  const args = ["config", "view", "--raw", "--flatten", "--minify", "-o", "json"];
  const env = { ...process.env, KUBECONFIG: list };
  try {
    return JSON.parse(await runCommand(running.kubectlPath, args, { env, timeoutMs: 30_000 }));
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    return undefined;
  }
}

/** The same facts from either side. */
function factsOfView(view: unknown, root: string) {
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

async function factsOfCluster(loaded: LoadedCluster, plugin: FakePlugin) {
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

test("loadCluster() takes of several kubeconfigs what kubectl takes, or fails as it does", limits, async () => {
  let loaded = 0;
  let refused = 0;
  for (const files of fc.sample(sets, { numRuns: 80, seed: 4 })) {
    using folder = temporaryFolder();
    const env = { KUBECONFIG: writeSet(folder.path, files).join(delimiter) };
    const view = await kubectlView(env.KUBECONFIG);
    const plugin = new FakePlugin();
    const options = { env, home: "/nowhere", readFile: (path: string) => readFile(path) };
    const loading = loadCluster({ ...options, clock: new FakeClock(), startPlugin: plugin.start });
    if (view === undefined) {
      await assert.rejects(loading, JSON.stringify(files));
      refused++;
      continue;
    }
    const facts = await factsOfCluster(await loading, plugin);
    assert.deepEqual(facts, factsOfView(view, folder.path), JSON.stringify(files, undefined, 1));
    loaded++;
  }
  // The seed is fixed: both kinds are met often enough to mean something.
  assert.ok(loaded >= 20 && refused >= 20, `${loaded} loaded, ${refused} refused`);
});

for (const [title, text] of [
  ["two users of one name", "{users: [{name: a, user: {token: x}}, {name: a, user: {token: y}}]}"],
  ["a list", "- 1"],
  ["another kind", "{kind: Pod, apiVersion: v1}"],
  ["another version", "{kind: Config, apiVersion: v2}"],
  ["broken YAML", "a: [b"],
] as const) {
  test(
    `loadCluster() refuses a kubeconfig with ${title}, as kubectl does, though another file is right`,
    limits,
    async () => {
      using folder = temporaryFolder();
      const path = join(folder.path, "config");
      writeFileSync(path, text);
      const env = { KUBECONFIG: [running.kubeconfig, path].join(delimiter) };
      assert.equal(await kubectlView(env.KUBECONFIG), undefined);
      await assert.rejects(loadCluster({ env, home: "/nowhere", readFile }), { code: "usage" });
    },
  );
}
