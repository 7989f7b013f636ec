/** Which entry of which kubeconfig counts: loadCluster against the test cluster's own kubectl, on generated sets of files. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { startCluster } from "../cluster/cluster.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FakePlugin } from "../support/fake-plugin.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { base64, certificateOf, factsOfCluster, factsOfView, kubectlView, writeSet } from "./kubectl-view.ts";

const running = await startCluster();
after(() => running[Symbol.asyncDispose]());

const limits = { timeout: 300_000 };
const names = ["a", "b", "c"] as const;
const name = fc.constantFrom(...names);
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

test("loadCluster() takes of several kubeconfigs what kubectl takes, or fails as it does", limits, async () => {
  let loaded = 0;
  let refused = 0;
  for (const files of fc.sample(sets, { numRuns: 80, seed: 4 })) {
    using folder = temporaryFolder();
    const env = { KUBECONFIG: writeSet(folder.path, files).join(delimiter) };
    const view = await kubectlView(running.kubectlPath, env.KUBECONFIG);
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
      assert.equal(await kubectlView(running.kubectlPath, env.KUBECONFIG), undefined);
      await assert.rejects(loadCluster({ env, home: "/nowhere", readFile }), { code: "usage" });
    },
  );
}
