import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { startHttpProxy } from "../../test/support/proxies.ts";
import { httpAnswer, openUpgradeServer, switching, type UpgradeRequest } from "../../test/support/upgrade-server.ts";
import { LocalizerError } from "../errors.ts";
import { staticCredentials } from "../kube/credentials.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import type { PodRef } from "../model/endpoint.ts";
import { type Upgraded, type UpgradeWay, upgradePod } from "./upgrade.ts";
import { acceptOf } from "./websocket-handshake.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const { signal: never } = new AbortController();
const respond =
  (text: string) =>
  ({ socket }: UpgradeRequest) =>
    void socket.write(text);

const spdy: UpgradeWay = { method: "POST", protocol: "SPDY/3.1" };

/** The upgraded connection, or else what was said against it, thrown. */
async function upgraded(
  cluster: Cluster,
  target: PodRef,
  signal: AbortSignal,
  way: UpgradeWay = spdy,
): Promise<Upgraded> {
  const outcome = await upgradePod({ cluster, clock: new FakeClock(), version: "1.2.3" }, target, way, signal);
  if (outcome.sign !== undefined) throw outcome.error;
  return outcome;
}

/** The failure of an upgrade that the server answers so. */
async function failure(answer: (request: UpgradeRequest) => void): Promise<{ code: string; message: string }> {
  await using server = await openUpgradeServer(answer);
  const error: unknown = await upgraded(server.cluster, pod, never).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof LocalizerError, String(error));
  return { code: error.code, message: error.message };
}

test("upgradePod() posts the upgrade and gives the socket and the bytes behind the answer", async () => {
  await using server = await openUpgradeServer(respond(`${switching}first bytes`), {
    path: "/k8s/clusters/c-1/",
    cluster: { credentials: staticCredentials({ authorization: "Bearer secret" }) },
  });
  const { socket, head } = await upgraded(server.cluster, pod, never);
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

test("upgradePod() leaves no listener on the signal", async () => {
  await using server = await openUpgradeServer(respond(switching));
  const { signal } = new AbortController();
  const { socket } = await upgraded(server.cluster, pod, signal);
  assert.equal(getEventListeners(signal, "abort").length, 0);
  socket.destroy();
});

test("upgradePod() throws denied with the words of the Status", async () => {
  const message = `pods "cart-0" is forbidden: User "joe" cannot create resource "pods/portforward" in API group ""`;
  const status = JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", message, code: 403 });
  assert.deepEqual(await failure(respond(httpAnswer("403 Forbidden", status))), {
    code: "denied",
    message,
  });
});

test("upgradePod() goes through the cluster's proxy", async () => {
  await using proxy = await startHttpProxy();
  const url = new URL(`http://127.0.0.1:${proxy.port}`);
  await using server = await openUpgradeServer(respond(`${switching}first bytes`), { cluster: { proxy: url } });
  const { socket, head } = await upgraded(server.cluster, pod, never);
  assert.equal(String(head), "first bytes");
  assert.deepEqual(proxy.tunnels, [server.cluster.server.host]);
  socket.destroy();
});

test("upgradePod() throws unavailable with the status and the first words of a plain text", async () => {
  assert.deepEqual(await failure(respond(httpAnswer("500 Internal Server Error", "error dialing backend: EOF\n"))), {
    code: "unavailable",
    message: "500 error dialing backend: EOF",
  });
  const page = await failure(respond(httpAnswer("502 Bad Gateway", `<html>\n\n${"<p>".repeat(20_000)}`)));
  assert.equal(page.code, "unavailable");
  assert.match(page.message, /^502 <html> <p><p>/);
  assert.ok(page.message.length < 400, `${page.message.length} characters`);
});

test("upgradePod() throws unavailable when the server hangs up, before its answer or within", async () => {
  assert.equal((await failure(({ socket }) => socket.end())).code, "unavailable");
  assert.equal((await failure(({ socket }) => socket.resetAndDestroy())).code, "unavailable");
  const cut = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\nerror dia";
  assert.equal((await failure(({ socket }) => socket.end(cut))).code, "unavailable");
  assert.equal((await failure(({ socket }) => socket.end("SSH-2.0-OpenSSH_9.2\r\n"))).code, "unavailable");
});

test("upgradePod() ends with the signal and closes the connection", async () => {
  await using server = await openUpgradeServer(() => {});
  const controller = new AbortController();
  const upgrade = upgraded(server.cluster, pod, controller.signal);
  const { socket } = await server.first;
  controller.abort();
  await assert.rejects(upgrade, { code: "aborted" });
  if (!socket.closed) await once(socket.resume(), "close");
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
});

test("upgradePod() keeps the code of the signal's reason", async () => {
  await using server = await openUpgradeServer(() => {});
  const controller = new AbortController();
  const upgrade = upgraded(server.cluster, pod, controller.signal);
  await server.first;
  controller.abort(new LocalizerError("timeout", "No answer within 10 ms"));
  await assert.rejects(upgrade, { code: "timeout" });
});

test("upgradePod() does not connect when the signal has fired", async () => {
  await using server = await openUpgradeServer(() => {});
  await assert.rejects(upgraded(server.cluster, pod, AbortSignal.abort()), { code: "aborted" });
  assert.equal(server.requests.length, 0);
});

test("upgradePod() throws unavailable when nothing listens", async () => {
  const server = await openUpgradeServer(() => {});
  await server[Symbol.asyncDispose]();
  await assert.rejects(upgraded(server.cluster, pod, never), { code: "unavailable" });
});

test("upgradePod() asks by GET, and for a WebSocket, with everything that was asked for by POST", async () => {
  const websocket = { method: "GET", protocol: "websocket", subprotocol: "some.protocol", query: "?ports=80" } as const;
  const answer = ({ head, socket }: UpgradeRequest) => {
    const key = Buffer.from(/^sec-websocket-key: (.*)$/im.exec(head)?.[1]?.trim() ?? "", "base64");
    const lines = [
      "Upgrade: websocket",
      `Sec-WebSocket-Accept: ${acceptOf(key)}`,
      "Sec-WebSocket-Protocol: some.protocol",
    ];
    socket.write(
      head.includes("websocket")
        ? `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${lines.join("\r\n")}\r\n\r\n`
        : switching,
    );
  };
  await using server = await openUpgradeServer(answer, {
    cluster: { credentials: staticCredentials({ authorization: "Bearer secret" }) },
  });
  (await upgraded(server.cluster, pod, never, { method: "GET", protocol: "SPDY/3.1" })).socket.destroy();
  (await upgraded(server.cluster, pod, never, websocket)).socket.destroy();
  const [spdyHead = "", socketHead = ""] = server.requests.map(({ head }) => head.toLowerCase());
  assert.match(spdyHead, /^get \S+\/portforward http/);
  assert.match(socketHead, /^get \S+\/portforward\?ports=80 http/);
  assert.match(socketHead, /\r\nsec-websocket-version: 13\r\nsec-websocket-protocol: some\.protocol\r\n/);
  for (const head of [spdyHead, socketHead]) {
    assert.match(head, /\r\nauthorization: bearer secret\r\n/);
    assert.doesNotMatch(head, /content-length/);
  }
});

test("upgradePod() gives up after 10 s without an answer, and says that somebody was reached", async () => {
  await using server = await openUpgradeServer(() => {});
  const clock = new FakeClock();
  const outcome = upgradePod({ cluster: server.cluster, clock }, pod, spdy, never);
  const { socket } = await server.first;
  await clock.advance(10_000);
  const result = await outcome;
  assert.ok(result.sign === "passing");
  assert.equal(result.error.code, "timeout");
  if (!socket.closed) await once(socket.resume(), "close");
});
