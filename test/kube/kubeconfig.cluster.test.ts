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
import { makeCertificate } from "../support/fake-api-server.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakePlugin } from "../support/fake-plugin.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const running = await startCluster();
after(() => running[Symbol.asyncDispose]());

const limits = { timeout: 120_000 };
const names = ["a", "b", "c"] as const;
const name = fc.constantFrom(...names);
const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64");
/** One for each folder, good as an authority and as a user's. */
const made = await Promise.all([makeCertificate(), makeCertificate(), makeCertificate()]);

function certificateOf(index: number): { readonly cert: Buffer; readonly key: Buffer } {
  const certificate = made[index];
  assert.ok(certificate !== undefined);
  return certificate;
}

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
      { server, "certificate-authority-data": base64(certificateOf(index).cert) },
      { server, "certificate-authority-data": base64(certificateOf(0).cert), "certificate-authority": "ca.crt" },
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
      { "client-certificate": "cert.pem", "client-key-data": base64(certificateOf(index).key) },
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

function writeSet(root: string, files: readonly (object | string | null)[]): readonly string[] {
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

/** Samples of YAML, whole files in folder 0; undefined members of kubectl's view show what it makes of them. */
const oneContext = "current-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]";
const someUser = "users: [{name: a, user: {token: t}}]";
const yamls: readonly (readonly [title: string, text: string])[] = [
  [
    "anchors and merge keys",
    `
base: &base {server: "https://a.example", tls-server-name: &name one}
${oneContext}
clusters:
- name: a
  cluster:
    <<: *base
    certificate-authority: ca.crt
users:
- name: b
  user: &joe {token: t, as: *name, as-groups: &groups [g1, g2]}
- name: a
  user:
    as: jane
    <<: *joe`,
  ],
  [
    "several maps merged, of which the first wins",
    `
${oneContext}
clusters:
- name: a
  cluster: {<<: [{server: "https://first.example"}, {server: "https://second.example", tls-server-name: two}]}
${someUser}`,
  ],
  [
    "merge keys between what is written out",
    `
${oneContext}
clusters:
- name: a
  cluster: {server: "https://a.example", tls-server-name: a, <<: &b {server: "https://b.example"}, <<: *b, "<<": c}
users:
- name: b
  user: &joe {token: t, as: joe, as-groups: [g1]}
- name: a
  user: {as: jane, <<: *joe, token: last}`,
  ],
  [
    "block scalars and comments",
    `# ours
${oneContext} # the only one
clusters:
- name: a
  cluster:
    server: >-
      https://a.example
    certificate-authority-data: |
${base64(certificateOf(0).cert).replace(/.{1,64}/g, "      $&\n")}
users:
  # indented otherwise
  - user:
      token: |-
        abc
      exec: null
    name: a`,
  ],
  [
    "documents and directives",
    `%YAML 1.1\n---\n${oneContext}\nclusters: [{name: a, cluster: {server: "https://x"}}]\n${someUser}\n`,
  ],
  ["keys given twice", `${oneContext}\ncurrent-context: b\nclusters: []\n${someUser}`],
  [
    "a merge key with no map",
    `${oneContext}\nclusters: [{name: a, cluster: {<<: 3, server: "https://x"}}]\n${someUser}`,
  ],
  ["an alias to nothing", `${oneContext}\nclusters: [{name: a, cluster: {server: *x}}]\n${someUser}`],
  ...[
    "yes",
    "Yes",
    "YES",
    "on",
    "On",
    "ON",
    "y",
    "Y",
    "true",
    "True",
    "TRUE",
    "no",
    "Off",
    "n",
    "FALSE",
    "~",
    "!!bool yes",
    "'yes'",
    '"on"',
    "yEs",
    "1",
  ].map(
    (word) =>
      [
        `the boolean ${word}`,
        `${oneContext}\nclusters: [{name: a, cluster: {server: "https://x", insecure-skip-tls-verify: ${word}}}]\n${someUser}`,
      ] as const,
  ),
];

for (const [title, text] of yamls) {
  test(`loadCluster() takes of YAML with ${title} what kubectl takes, or fails as it does`, limits, async () => {
    using folder = temporaryFolder();
    const env = { KUBECONFIG: writeSet(folder.path, [text]).join(delimiter) };
    const view = await kubectlView(env.KUBECONFIG);
    const loading = loadCluster({ env, home: "/nowhere", readFile: (path: string) => readFile(path) });
    if (view === undefined) await assert.rejects(loading, { name: "LocalizerError" });
    else assert.deepEqual(await factsOfCluster(await loading, new FakePlugin()), factsOfView(view, folder.path));
  });
}

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
