import assert from "node:assert/strict";
import { delimiter } from "node:path";
import { test } from "node:test";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { LocalizerError } from "../errors.ts";
import { type Cluster, type LoadClusterOptions, loadCluster } from "./kubeconfig.ts";

const [one, other] = await Promise.all([makeCertificate(), makeCertificate()]);
const certData = one.cert.toString("base64");

const base = `
apiVersion: v1
kind: Config
current-context: dev
contexts:
- {name: dev, context: {cluster: c1, user: u1, namespace: shop}}
- {name: other, context: {cluster: c2, user: u2}}
- {name: lost, context: {cluster: nowhere, user: u1}}
- {name: stranger, context: {cluster: c1, user: nobody}}
- {name: empty, context: {user: u1}}
- {name: anonymous, context: {cluster: c1}}
clusters:
- {name: c1, cluster: {server: "https://10.0.0.1:6443/k8s/c-1", certificate-authority: ca.crt, tls-server-name: api}}
- {name: c2, cluster: {server: "https://10.0.0.2", insecure-skip-tls-verify: true}}
users:
- {name: u1, user: {client-certificate-data: ${certData}, client-key: keys/me.key}}
- {name: u2, user: {token: abc}}
`;

const files: Readonly<Record<string, string>> = {
  "/home/me/.kube/config": base,
  "/home/me/.kube/ca.crt": other.cert.toString(),
  "/home/me/.kube/keys/me.key": one.key.toString(),
  "/etc/kube.json":
    '{"current-context":"a","contexts":[{"name":"a","context":{"cluster":"b"}}],"clusters":[{"name":"b","cluster":{"server":"host:80"}}]}',
};

function fail(code: string): never {
  throw Object.assign(new Error(`${code}: failed`), { code });
}

function options(
  extra: Partial<LoadClusterOptions> & { files?: Readonly<Record<string, string>> },
): LoadClusterOptions {
  const all = { ...files, ...extra.files };
  const readFile = async (path: string) =>
    Buffer.from(all[path] ?? fail(path.includes("closed") ? "EACCES" : "ENOENT"));
  return { env: {}, home: "/home/me", readFile, ...extra };
}

function loadWith(text: string, context?: string): Promise<Cluster> {
  return loadCluster(options({ context, files: { "/home/me/.kube/config": text } }));
}

/** `base` with one user or cluster changed. */
function changed(from: string | RegExp, to: string): string {
  return base.replace(from, to);
}

test("loadCluster() resolves the current context of the default file", async () => {
  const cluster = await loadCluster(options({}));
  assert.equal(cluster.contextName, "dev");
  assert.equal(cluster.clusterName, "c1");
  assert.equal(cluster.userName, "u1");
  assert.equal(cluster.server.href, "https://10.0.0.1:6443/k8s/c-1");
  assert.equal(cluster.namespace, "shop");
  const tls = { ca: other.cert, cert: one.cert, key: one.key };
  assert.deepEqual(cluster.tls, { ...tls, servername: "api", rejectUnauthorized: true });
  assert.equal((await cluster.credentials.current()).headers.authorization, undefined);
});

test("loadCluster() takes the context that is named, and its token", async () => {
  const cluster = await loadCluster(options({ context: "other" }));
  assert.equal(cluster.server.href, "https://10.0.0.2/");
  assert.equal(cluster.namespace, undefined);
  assert.deepEqual(cluster.tls, { rejectUnauthorized: false });
  assert.equal((await cluster.credentials.current()).headers.authorization, "Bearer abc");
});

test("loadCluster() reads JSON, prefers --kubeconfig to KUBECONFIG to the home folder, and completes the URL", async () => {
  const fromEnv = await loadCluster(options({ env: { KUBECONFIG: `${delimiter}/etc/kube.json${delimiter}` } }));
  assert.equal(fromEnv.server.href, "http://host/");
  assert.equal(fromEnv.userName, "");
  const fromPath = await loadCluster(options({ path: "/etc/kube.json", env: { KUBECONFIG: "/missing" } }));
  assert.equal(fromPath.contextName, "a");
});

test("loadCluster() gives the proxy-url, whatever NO_PROXY says, or else the environment's proxy", async () => {
  const env = { HTTPS_PROXY: "env.example:3128", NO_PROXY: "10.0.0.1" };
  const text = changed('server: "https://10.0.0.1', 'proxy-url: "socks5://me:pw@p.example", server: "https://10.0.0.1');
  const files = { "/home/me/.kube/config": text };
  assert.equal((await loadCluster(options({ env, files }))).proxy?.href, "socks5://me:pw@p.example");
  assert.equal((await loadCluster(options({ env }))).proxy, undefined);
  assert.equal((await loadCluster(options({ env, context: "other" }))).proxy?.href, "http://env.example:3128/");
});

test("loadCluster() re-reads a token file and falls back to what it last read", async () => {
  const text = changed("token: abc", "token: abc, tokenFile: tok");
  const volatile: Record<string, string> = { "/home/me/.kube/config": text };
  const readFile = async (path: string) => Buffer.from(volatile[path] ?? fail("ENOENT"));
  const { credentials } = await loadCluster({ ...options({ context: "other" }), readFile });
  assert.equal((await credentials.current()).headers.authorization, "Bearer abc");
  volatile["/home/me/.kube/tok"] = "one\n";
  assert.equal((await credentials.current()).headers.authorization, "Bearer one");
  volatile["/home/me/.kube/tok"] = "two";
  assert.equal((await credentials.current()).headers.authorization, "Bearer two");
  delete volatile["/home/me/.kube/tok"];
  assert.equal((await credentials.current()).headers.authorization, "Bearer two");
});

test("loadCluster() takes values as text even where YAML reads numbers, and passes over empty fields", async () => {
  const text = changed("token: abc", "token: 12345, exec: null, auth-provider: ~, as-groups: []").replace(
    /name: other/g,
    "name: 7",
  );
  const cluster = await loadWith(text, "7");
  assert.equal((await cluster.credentials.current()).headers.authorization, "Bearer 12345");
});

const failures: readonly [title: string, options: LoadClusterOptions, code: string, sentence: RegExp][] = [
  ["no file", options({ home: "/home/you" }), "not-found", /kubeconfig "\/home\/you\/.kube\/config": there is no such/],
  ["a closed file", options({ path: "/closed" }), "denied", /"\/closed": its permissions/],
  ["an unknown context", options({ context: "x" }), "not-found", /context "x" in ".*config": known are "dev", "other"/],
  ["a context without cluster", options({ context: "empty" }), "usage", /context "empty": it names no cluster/],
  ["an unknown cluster", options({ context: "lost" }), "not-found", /cluster "nowhere".*known are "c1", "c2"/],
  ["an unknown user", options({ context: "stranger" }), "not-found", /user "nobody".*known are "u1", "u2"/],
];

for (const [title, given, code, sentence] of failures) {
  test(`loadCluster() throws ${code} for ${title}`, () => assert.rejects(loadCluster(given), expected(code, sentence)));
}

const broken: readonly [title: string, text: string, context: string | undefined, code: string, sentence: RegExp][] = [
  [
    "no current context",
    changed("current-context: dev", ""),
    undefined,
    "usage",
    /no current-context; known are "dev"/,
  ],
  ["an empty file", "", undefined, "not-found", /there is no such file, or it is empty; name one with --kubeconfig/],
  ["another kind", "{kind: Pod, apiVersion: v1}", undefined, "usage", /it is a "Pod" of "v1", no "Config" of "v1"/],
  ["another version", "{kind: Config, apiVersion: v2}", undefined, "usage", /it is a "Config" of "v2"/],
  [
    "two clusters of one name",
    changed(/name: c2/, "name: c1"),
    undefined,
    "usage",
    /it has two clusters named "c1"; remove one/,
  ],
  ["no base64", changed(certData, "Q0VS!"), undefined, "usage", /user "u1": its client-certificate-data is no base64/],
  [
    "a flag that is none",
    changed("verify: true", "verify: 'yes'"),
    "other",
    "usage",
    /"c2": .* neither true nor false/,
  ],
  ["a password in the server", changed("10.0.0.2", "me:geheim@10.0.0.2"), "other", "usage", /holds a user name/],
  ["a list", "- 1", undefined, "usage", /it is not a map/],
  ["broken YAML", "a: 1\nb: [secret\nc: }", undefined, "usage", /line [23], column \d+: [a-z ]+$/],
  ["an alias bomb", "a: *b", undefined, "usage", /Cannot read the kubeconfig/],
  [
    "a missing key file",
    changed("keys/me.key", "gone.key"),
    undefined,
    "not-found",
    /client-key "\/home\/me\/.kube\/gone/,
  ],
  ["a closed key file", changed("keys/me.key", "/closed"), undefined, "denied", /the client-key "\/closed"/],
  [
    "a certificate without key",
    changed(", client-key: keys/me.key", ""),
    undefined,
    "usage",
    /"u1": it has no client-key/,
  ],
  ["no server", changed('server: "https://10.0.0.2", ', ""), "other", "usage", /"c2": it has no server/],
  [
    "a server that is no URL",
    changed("https://10.0.0.2", "ftp://x"),
    "other",
    "usage",
    /"ftp:\/\/x" is no http or https/,
  ],
  [
    "authority and none",
    changed("skip-tls-verify: true", "skip-tls-verify: true, certificate-authority: ca.crt"),
    "other",
    "usage",
    /both/,
  ],
  [
    "a proxy-url without scheme",
    changed('"https://10.0.0.2"', '"https://10.0.0.2", proxy-url: "p:80"'),
    "other",
    "usage",
    /proxy-url of the cluster "c2": it has no scheme/,
  ],
  [
    "a proxy of another kind",
    changed('"https://10.0.0.2"', '"https://10.0.0.2", proxy-url: "socks4://p"'),
    "other",
    "usage",
    /of the cluster "c2": its scheme is "socks4", not http, https or socks5/,
  ],
];

for (const [title, text, context, code, sentence] of broken) {
  test(`loadCluster() throws ${code} for a file with ${title}`, () =>
    assert.rejects(loadWith(text, context), expected(code, sentence)));
}

for (const text of [
  "users:\n- token: 'geheim\n",
  "users: [{name: a, user: {token: *geheim}}]",
  changed("https://10.0.0.2", "htps://geheim:geheim@10.0.0.2"),
  changed("https://10.0.0.2", "https://geheim:geh@eim@10.0.0.2:port"),
  changed("https://10.0.0.2", "geheim:geheim@10.0.0.2:port/?@"),
]) {
  test(`loadCluster() shows nothing secret of ${JSON.stringify(text.slice(-60))}`, async () => {
    const error: unknown = await loadWith(text, "other").catch((thrown: unknown) => thrown);
    assert.ok(error instanceof LocalizerError);
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      assert.doesNotMatch(cause.message, /geheim|geh@|eim@/);
    }
  });
}

function expected(code: string, sentence: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof LocalizerError);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, sentence);
    return true;
  };
}
