import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { FakePlugin } from "../../test/support/fake-plugin.ts";
import { LocalizerError } from "../errors.ts";
import { type LoadClusterOptions, loadCluster } from "./kubeconfig.ts";

const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "bin/login", interactiveMode: "IfAvailable" };

/** Loads a kubeconfig with this user. */
function load(user: object, options: Partial<LoadClusterOptions> & { readonly cluster?: object } = {}) {
  const cluster = { server: "https://api.example", ...options.cluster };
  const config = {
    "current-context": "dev",
    contexts: [{ name: "dev", context: { cluster: "c", user: "joe" } }],
    clusters: [{ name: "c", cluster }],
    users: [{ name: "joe", user }],
  };
  const readFile = async () => Buffer.from(JSON.stringify(config));
  return loadCluster({ path: "/etc/kube/config", env: {}, home: "/", readFile, ...options });
}

async function headersOf(user: object, options: Parameters<typeof load>[1] = {}) {
  return (await (await load(user, options)).credentials.current()).headers;
}

const headers: readonly (readonly [title: string, user: object, headers: object])[] = [
  ["nobody", {}, {}],
  ["a token", { token: "abc" }, { authorization: "Bearer abc" }],
  ["a user name and password", { username: "jö", password: "p:w" }, { authorization: "Basic asO2OnA6dw==" }],
  ["a token before a plug-in", { token: "abc", exec }, { authorization: "Bearer abc" }],
  ["a password before a plug-in", { username: "a", password: "b", exec }, { authorization: "Basic YTpi" }],
  [
    "a numeric token",
    { token: 12345, exec: null, "auth-provider": null, "as-groups": [] },
    { authorization: "Bearer 12345" },
  ],
  [
    "somebody else",
    {
      token: "abc",
      as: "jane",
      "as-uid": "7",
      "as-groups": ["dev", "ops"],
      "as-user-extra": { "example.com/Scopes": ["a", "b"], Reason: ["x"], reason: ["y"], none: [], "50%": ["z"] },
    },
    {
      "impersonate-user": "jane",
      "impersonate-uid": "7",
      "impersonate-group": ["dev", "ops"],
      "impersonate-extra-example.com%2fscopes": ["a", "b"],
      "impersonate-extra-reason": ["x", "y"],
      "impersonate-extra-50%25": ["z"],
      authorization: "Bearer abc",
    },
  ],
  ["a name beyond ASCII, as its bytes", { as: "jö" }, { "impersonate-user": "j\u00c3\u00b6" }],
];

for (const [title, user, wanted] of headers) {
  test(`loadCluster() sends the headers for ${title}`, async () => assert.deepEqual(await headersOf(user), wanted));
}

test("loadCluster() sends nothing secret, and runs no plug-in, over plain http", async () => {
  const cluster = { server: "http://localhost:8001" };
  assert.deepEqual(await headersOf({ token: "abc", as: "jane" }, { cluster }), { "impersonate-user": "jane" });
  assert.deepEqual(await headersOf({ exec }, { cluster, execRefused: "No" }), {});
});

const refused: readonly (readonly [title: string, user: object, sentence: RegExp])[] = [
  [
    "auth-provider",
    { "auth-provider": { name: "gcp" } },
    /"joe": the auth-provider "gcp" is not supported; .* \(exec\)/,
  ],
  ["token and password", { token: "a", username: "b" }, /"joe": it has both a token and a user name/],
  ["token file and password", { tokenFile: "a", password: "b" }, /both a token/],
  ["groups without as", { "as-groups": ["a"] }, /user "joe": as-uid, as-groups and as-user-extra need as$/],
  ["uid without as", { "as-uid": "1" }, /need as$/],
  ["a line break in a name", { as: "a\r\nx: y" }, /"joe": a value of the kubeconfig holds a line break/],
  ["a line break in a token", { token: "a\nb" }, /"joe": a value of the kubeconfig holds a line break/],
  ["no command", { exec: { ...exec, command: "" } }, /"joe": its exec plug-in names no command/],
  [
    "no version",
    { exec: { ...exec, apiVersion: null } },
    /"bin\/login" names no apiVersion; write "client.auth.*v1" or/,
  ],
  [
    "an old version",
    { exec: { ...exec, apiVersion: "client.authentication.k8s.io/v1alpha1" } },
    /has the apiVersion ".*v1alpha1"/,
  ],
  [
    "no mode in v1",
    { exec: { ...exec, interactiveMode: undefined } },
    /names no interactiveMode; write one of Never, IfAvailable, Always/,
  ],
  ["a wrong mode", { exec: { ...exec, interactiveMode: "Often" } }, /has the interactiveMode "Often"/],
  ["a nameless variable", { exec: { ...exec, env: [{ value: "x" }] } }, /has an env entry without a name/],
];

for (const [title, user, sentence] of refused) {
  test(`loadCluster() throws usage for a user with ${title}`, () =>
    assert.rejects(load(user), (error) => {
      assert.ok(error instanceof LocalizerError);
      assert.equal(error.code, "usage");
      assert.match(error.message, sentence);
      return true;
    }));
}

test("loadCluster() throws denied with the given sentence when plug-ins are refused", async () => {
  const execRefused = "Cannot run credential plug-ins as root: name a user";
  await assert.rejects(load({ exec }, { execRefused }), { code: "denied", message: execRefused });
  assert.equal((await headersOf({ token: "a" }, { execRefused })).authorization, "Bearer a");
});

test("loadCluster() runs a plug-in by its folder, with its arguments and environment, and what it asked to know", async () => {
  const plugin = new FakePlugin();
  const extensions = [{ name: "client.authentication.k8s.io/exec", extension: { audience: "x" } }];
  const authority = (await makeCertificate()).cert.toString("base64");
  const cluster = { "certificate-authority-data": authority, "tls-server-name": "api", extensions };
  const env = { HOME: "/home/me", REGION: "here" };
  const args = ["get", 1, true];
  const user = { exec: { ...exec, args, env: [{ name: "REGION", value: "there" }], provideClusterInfo: true } };
  const options = { clock: new FakeClock(), startPlugin: plugin.start, hasTerminal: () => true, env, cluster };
  const loaded = await load(user, options);
  const credential = loaded.credentials.current();
  await turns();
  const { command } = plugin.last;
  assert.equal(command.command, "/etc/kube/bin/login");
  assert.deepEqual(command.args, ["get", "1", "true"]);
  assert.equal(command.interactive, true);
  assert.deepEqual(command.userEnv, env);
  const { KUBERNETES_EXEC_INFO: info, ...rest } = command.env;
  assert.deepEqual(rest, { HOME: "/home/me", REGION: "there" });
  assert.deepEqual(JSON.parse(info ?? ""), {
    kind: "ExecCredential",
    apiVersion: exec.apiVersion,
    spec: {
      interactive: true,
      cluster: {
        server: "https://api.example",
        "tls-server-name": "api",
        "certificate-authority-data": authority,
        config: { audience: "x" },
      },
    },
  });
  plugin.answer("abc");
  assert.deepEqual((await credential).headers, { authorization: "Bearer abc" });
});

test("loadCluster() leaves a command without separator to PATH, tells it nothing unasked, and v1beta1 means IfAvailable", async () => {
  const plugin = new FakePlugin();
  const beta = { apiVersion: "client.authentication.k8s.io/v1beta1", command: "aws" };
  const loaded = await load({ exec: beta }, { clock: new FakeClock(), startPlugin: plugin.start });
  const credential = loaded.credentials.current();
  credential.catch(() => {});
  await turns();
  assert.equal(plugin.last.command.command, "aws");
  assert.equal(plugin.last.command.interactive, false);
  const info: unknown = JSON.parse(plugin.last.command.env.KUBERNETES_EXEC_INFO ?? "");
  assert.deepEqual(info, { kind: "ExecCredential", apiVersion: beta.apiVersion, spec: { interactive: false } });
  await loaded[Symbol.asyncDispose]();
  assert.deepEqual(plugin.last.kills, ["SIGTERM"]);
  await assert.rejects(credential, { code: "aborted" });
});
