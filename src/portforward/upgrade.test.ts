import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { test } from "node:test";
import { startHttpProxy } from "../../test/support/proxies.ts";
import { httpAnswer, openUpgradeServer, switching, type UpgradeRequest } from "../../test/support/upgrade-server.ts";
import { systemClock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { type Credentials, staticCredentials } from "../kube/credentials.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { upgradeToSpdy as upgradeToSpdyWith } from "./upgrade.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const { signal: never } = new AbortController();
const upgradeToSpdy = (cluster: Cluster, to: typeof pod, signal: AbortSignal) =>
  upgradeToSpdyWith(cluster, to, { clock: systemClock, signal, version: "1.2.3" });
const respond =
  (text: string) =>
  ({ socket }: UpgradeRequest) =>
    void socket.write(text);

/** The failure of an upgrade that the server answers so. */
async function failure(answer: (request: UpgradeRequest) => void): Promise<{ code: string; message: string }> {
  await using server = await openUpgradeServer(answer);
  const error: unknown = await upgradeToSpdy(server.cluster, pod, never).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof LocalizerError, String(error));
  return { code: error.code, message: error.message };
}

test("upgradeToSpdy() posts the upgrade and gives the socket and the bytes behind the answer", async () => {
  await using server = await openUpgradeServer(respond(`${switching}first bytes`), {
    path: "/k8s/clusters/c-1/",
    cluster: { credentials: staticCredentials({ authorization: "Bearer secret" }) },
  });
  const { socket, head } = await upgradeToSpdy(server.cluster, pod, never);
  assert.equal(String(head), "first bytes");
  const request = await server.first;
  const [line, ...headers] = request.head.trimEnd().split("\r\n");
  assert.equal(line, "POST /k8s/clusters/c-1/api/v1/namespaces/shop/pods/cart-0/portforward HTTP/1.1");
  assert.deepEqual(headers.map((header) => header.toLowerCase()).sort(), [
    "authorization: bearer secret",
    "connection: upgrade",
    "content-length: 0",
    `host: ${server.cluster.server.host}`,
    "upgrade: spdy/3.1",
    "user-agent: localizer/1.2.3",
    "x-stream-protocol-version: portforward.k8s.io",
  ]);
  socket.write("question");
  const [question] = await once(request.socket, "data");
  assert.equal(String(question), "question");
  request.socket.write("answer");
  socket.resume();
  const [answer] = await once(socket, "data");
  assert.equal(String(answer), "answer");
  socket.destroy();
});

test("upgradeToSpdy() leaves no listener on the signal", async () => {
  await using server = await openUpgradeServer(respond(switching));
  const { signal } = new AbortController();
  const { socket } = await upgradeToSpdy(server.cluster, pod, signal);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  socket.destroy();
});

test("upgradeToSpdy() throws denied with the words of the Status", async () => {
  const message = `pods "cart-0" is forbidden: User "joe" cannot create resource "pods/portforward" in API group ""`;
  const status = JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", message, code: 403 });
  assert.deepEqual(await failure(respond(httpAnswer("403 Forbidden", status))), {
    code: "denied",
    message: `Cannot forward to pod shop/cart-0: ${message}`,
  });
});

/** Credentials of which the first is refused; `better`: there is a second one. */
function expiring(better: boolean): Credentials & { readonly refused: unknown[] } {
  const refused: unknown[] = [];
  return {
    refused,
    current: async () => ({ headers: { authorization: `Bearer ${refused.length}` } }),
    rejected(credential) {
      refused.push(credential);
      return better;
    },
  };
}

test("upgradeToSpdy() throws unauthenticated when the server does not know us and nothing can be renewed", async () => {
  const credentials = expiring(false);
  await using server = await openUpgradeServer(respond(httpAnswer("401 Unauthorized", "{}")), {
    cluster: { credentials },
  });
  await assert.rejects(upgradeToSpdy(server.cluster, pod, never), { code: "unauthenticated" });
  assert.equal(server.requests.length, 1);
  assert.deepEqual(credentials.refused, [{ headers: { authorization: "Bearer 0" } }]);
});

test("upgradeToSpdy() tries a renewed credential once, on a connection of its own", async () => {
  const answer = ({ head, socket }: UpgradeRequest) =>
    void socket.write(/bearer 1/i.test(head) ? switching : httpAnswer("401 Unauthorized", "{}"));
  await using server = await openUpgradeServer(answer, { cluster: { credentials: expiring(true) } });
  const { socket } = await upgradeToSpdy(server.cluster, pod, never);
  assert.equal(server.requests.length, 2);
  socket.destroy();
  await using stubborn = await openUpgradeServer(respond(httpAnswer("401 Unauthorized", "{}")), {
    cluster: { credentials: expiring(true) },
  });
  await assert.rejects(upgradeToSpdy(stubborn.cluster, pod, never), { code: "unauthenticated" });
  assert.equal(stubborn.requests.length, 2);
});

test("upgradeToSpdy() goes through the cluster's proxy", async () => {
  await using proxy = await startHttpProxy();
  const url = new URL(`http://127.0.0.1:${proxy.port}`);
  await using server = await openUpgradeServer(respond(`${switching}first bytes`), { cluster: { proxy: url } });
  const { socket, head } = await upgradeToSpdy(server.cluster, pod, never);
  assert.equal(String(head), "first bytes");
  assert.deepEqual(proxy.tunnels, [server.cluster.server.host]);
  socket.destroy();
});

test("upgradeToSpdy() throws gone when there is no such pod", async () => {
  const status = { kind: "Status", message: 'pods "cart-0" not found', details: { kind: "pods", name: "cart-0" } };
  const answer = httpAnswer("404 Not Found", JSON.stringify(status));
  assert.deepEqual(await failure(respond(answer)), {
    code: "gone",
    message: 'Cannot forward to pod shop/cart-0: pods "cart-0" not found',
  });
});

for (const [said, body, words] of [
  ["a page of its own", "<h1>not here</h1>", "404 <h1>not here</h1>"],
  ["no Status", '{"kind":"Error","message":"no route","details":{"kind":"pods"}}', "no route"],
  ["a Status about another thing", '{"kind":"Status","message":"no c-1","details":{"kind":"clusters"}}', "no c-1"],
] as const) {
  test(`upgradeToSpdy() throws unavailable for a gateway's 404 with ${said}`, async () => {
    assert.deepEqual(await failure(respond(httpAnswer("404 Not Found", body))), {
      code: "unavailable",
      message: `Cannot forward to pod shop/cart-0: ${words}`,
    });
  });
}

for (const wrong of [
  switching.replace("Upgrade: SPDY/3.1", "Upgrade: websocket"),
  switching.replace("portforward.k8s.io", "v4.channel.k8s.io"),
  switching.replace(/X-Stream.*\r\n/, ""),
]) {
  test(`upgradeToSpdy() throws unavailable for an upgrade to something else: ${JSON.stringify(wrong)}`, async () => {
    const closed = Promise.withResolvers<void>();
    const failed = await failure(({ socket }) => {
      socket.once("close", () => closed.resolve());
      socket.write(wrong);
    });
    const sentence = "the answer is an upgrade, but not to SPDY/3.1 port-forwarding";
    assert.deepEqual(failed, { code: "unavailable", message: `Cannot forward to pod shop/cart-0: ${sentence}` });
    await closed.promise;
  });
}

test("upgradeToSpdy() puts no name into the path that could lead elsewhere", async () => {
  await using server = await openUpgradeServer(respond(switching));
  const name = "kubernetes:443/proxy/x?y=";
  const { socket } = await upgradeToSpdy(server.cluster, { ...pod, name }, never);
  const [line] = (await server.first).head.split("\r\n", 1);
  const path = "/api/v1/namespaces/shop/pods/kubernetes%3A443%2Fproxy%2Fx%3Fy%3D/portforward";
  assert.equal(line, `POST ${path} HTTP/1.1`);
  socket.destroy();
});

test("upgradeToSpdy() throws unavailable with the status and the first words of a plain text", async () => {
  assert.deepEqual(await failure(respond(httpAnswer("500 Internal Server Error", "error dialing backend: EOF\n"))), {
    code: "unavailable",
    message: "Cannot forward to pod shop/cart-0: 500 error dialing backend: EOF",
  });
  const page = await failure(respond(httpAnswer("502 Bad Gateway", `<html>\n\n${"<p>".repeat(20_000)}`)));
  assert.equal(page.code, "unavailable");
  assert.match(page.message, /^Cannot forward to pod shop\/cart-0: 502 <html> <p><p>/);
  assert.ok(page.message.length < 400, `${page.message.length} characters`);
});

test("upgradeToSpdy() throws unavailable when the server hangs up, before its answer or within", async () => {
  assert.equal((await failure(({ socket }) => socket.end())).code, "unavailable");
  assert.equal((await failure(({ socket }) => socket.resetAndDestroy())).code, "unavailable");
  const cut = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\nerror dia";
  assert.equal((await failure(({ socket }) => socket.end(cut))).code, "unavailable");
  assert.equal((await failure(({ socket }) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"))).code, "unavailable");
});

test("upgradeToSpdy() ends with the signal and closes the connection", async () => {
  await using server = await openUpgradeServer(() => {});
  const controller = new AbortController();
  const upgrade = upgradeToSpdy(server.cluster, pod, controller.signal);
  const { socket } = await server.first;
  controller.abort();
  await assert.rejects(upgrade, { code: "aborted" });
  if (!socket.closed) await once(socket.resume(), "close");
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
});

test("upgradeToSpdy() keeps the code of the signal's reason", async () => {
  await using server = await openUpgradeServer(() => {});
  const controller = new AbortController();
  const upgrade = upgradeToSpdy(server.cluster, pod, controller.signal);
  await server.first;
  controller.abort(new LocalizerError("timeout", "No answer within 10 ms"));
  await assert.rejects(upgrade, { code: "timeout" });
});

test("upgradeToSpdy() does not connect when the signal has fired", async () => {
  await using server = await openUpgradeServer(() => {});
  await assert.rejects(upgradeToSpdy(server.cluster, pod, AbortSignal.abort()), { code: "aborted" });
  assert.equal(server.requests.length, 0);
});

test("upgradeToSpdy() asks nothing of the server when there is no credential", async () => {
  const denied = new LocalizerError("denied", "The token file is empty");
  const credentials = { current: () => Promise.reject(denied), rejected: () => false };
  await using server = await openUpgradeServer(() => {}, { cluster: { credentials } });
  await assert.rejects(upgradeToSpdy(server.cluster, pod, never), {
    code: "denied",
    message: /The token file is empty/,
  });
  assert.equal(server.requests.length, 0);
});

test("upgradeToSpdy() throws unavailable when nothing listens", async () => {
  const server = await openUpgradeServer(() => {});
  await server[Symbol.asyncDispose]();
  await assert.rejects(upgradeToSpdy(server.cluster, pod, never), { code: "unavailable" });
});
