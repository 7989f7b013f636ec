/** Which YAML a kubeconfig may be written in: loadCluster against the test cluster's own kubectl. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { delimiter } from "node:path";
import { after, test } from "node:test";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { startCluster } from "../cluster/cluster.ts";
import { FakePlugin } from "../support/fake-plugin.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { base64, certificateOf, factsOfCluster, factsOfView, kubectlView, writeSet } from "./kubectl-view.ts";

const running = await startCluster();
after(() => running[Symbol.asyncDispose]());

const limits = { timeout: 300_000 };

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
    const view = await kubectlView(running.kubectlPath, env.KUBECONFIG);
    const loading = loadCluster({ env, home: "/nowhere", readFile: (path: string) => readFile(path) });
    if (view === undefined) await assert.rejects(loading, { name: "LocalizerError" });
    else assert.deepEqual(await factsOfCluster(await loading, new FakePlugin()), factsOfView(view, folder.path));
  });
}
