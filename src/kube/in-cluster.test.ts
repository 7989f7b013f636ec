import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { loadCluster } from "./kubeconfig.ts";

const folder = "/var/run/secrets/kubernetes.io/serviceaccount";
const env = { KUBERNETES_SERVICE_HOST: "10.96.0.1", KUBERNETES_SERVICE_PORT: "443" };

/** Loads in a pod with these files of the service account, and others by their full path. */
function loadInPod(files: Record<string, string>, options: { env?: object; path?: string; context?: string } = {}) {
  const readFile = async (path: string) => {
    const text = files[path.startsWith(folder) ? path.slice(folder.length + 1) : path];
    if (text === undefined) throw Object.assign(new Error("ENOENT"), { code: "ENOENT" });
    return Buffer.from(text);
  };
  return loadCluster({ home: "/root", readFile, ...options, env: { ...env, ...options.env } });
}

test("loadCluster() takes the pod's service account without a kubeconfig, and reads its token anew", async () => {
  const { cert } = await makeCertificate();
  const files = { token: "one\n", "ca.crt": cert.toString(), namespace: "shop\n" };
  const cluster = await loadInPod(files);
  assert.equal(cluster.server.href, "https://10.96.0.1/");
  assert.deepEqual(cluster.tls, { ca: cert, rejectUnauthorized: true });
  assert.equal(cluster.namespace, "shop");
  assert.deepEqual([cluster.contextName, cluster.clusterName, cluster.userName], Array(3).fill("in-cluster"));
  assert.equal((await cluster.credentials.current()).headers.authorization, "Bearer one");
  files.token = "two";
  assert.equal((await cluster.credentials.current()).headers.authorization, "Bearer two");
});

test("loadCluster() in a pod does without authority and namespace, knows IPv6 and proxies", async () => {
  const options = { env: { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443", HTTPS_PROXY: "p:80" } };
  const cluster = await loadInPod({ token: "one" }, options);
  assert.equal(cluster.server.href, "https://[fd00::1]:6443/");
  assert.deepEqual(cluster.tls, { rejectUnauthorized: true });
  assert.equal(cluster.namespace, undefined);
  assert.equal(cluster.proxy?.host, "p");
});

test("loadCluster() prefers a kubeconfig, but not an empty one, to the pod's service account", async () => {
  const kubeconfig = `{"current-context":"a","contexts":[{"name":"a","context":{"cluster":"b"}}],"clusters":[{"name":"b","cluster":{"server":"https://b"}}]}`;
  assert.equal((await loadInPod({ token: "one", "/root/.kube/config": kubeconfig })).contextName, "a");
  assert.equal((await loadInPod({ token: "one", "/root/.kube/config": "" })).contextName, "in-cluster");
});

test("loadCluster() in a pod throws usage for an authority without certificate", () =>
  assert.rejects(loadInPod({ token: "one", "ca.crt": "CA" }), {
    code: "usage",
    message: /^Cannot use the pod's service account: ".*\/ca.crt" holds no certificate/,
  }));

for (const [title, files, options, sentence] of [
  ["there is no token", {}, {}, /kubeconfig "\/root\/.kube\/config": there is no such file/],
  ["no server is named", { token: "one" }, { env: { KUBERNETES_SERVICE_HOST: "" } }, /there is no such file/],
  ["a context is asked for", { token: "one" }, { context: "x" }, /there is no such file/],
  ["--kubeconfig names a missing file", { token: "one" }, { path: "/x" }, /kubeconfig "\/x": there is no such file/],
  ["no file of KUBECONFIG exists", {}, { env: { KUBECONFIG: "/x:/y" } }, /of "\/x", "\/y" none exists/],
  ["KUBECONFIG names none", {}, { env: { KUBECONFIG: ":" } }, /KUBECONFIG names no file; name one with --kubeconfig/],
] as const) {
  test(`loadCluster() throws not-found in a pod when ${title}`, () =>
    assert.rejects(loadInPod(files, options), { code: "not-found", message: sentence }));
}
