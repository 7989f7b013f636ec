/** After whatever happens to a connection, an API server or a credential in the middle of the day, the next connection works. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { answering, openEngineServer } from "../../test/support/engine-server.ts";
import { turns, until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { encode } from "../../test/support/spdy-frames.ts";
import type { UpgradeRequest } from "../../test/support/upgrade-server.ts";
import { type Credentials, tokenFromFile } from "../kube/credentials.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { silentLogger } from "../log.ts";
import { port } from "../model/port.ts";
import { podConnector } from "./choose-engine.ts";
import { openPodDialer } from "./pod-dialer.ts";

const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(80) };
const { signal: never } = new AbortController();

/** The daemon's way to pods; no spare, so that connections can be counted. */
function openWay(cluster: Cluster) {
  const clock = new FakeClock();
  const connector = podConnector({ cluster, clock, log: silentLogger() });
  const dialer = openPodDialer({ connect: (pod, signal) => connector.connect(pod, signal), clock }, { spareMs: 0 });
  return { dialer, dial: () => dialer.dial(endpoint, never), connections: () => dialer.stats()[0]?.connections ?? 0 };
}

/** Tokens of which the server accepts one; another is to be had when one is refused. */
function renewedTokens(): { readonly credentials: Credentials; refused: number } {
  const credentialOf = (number: number) => ({ headers: { authorization: `Bearer ${number}` } });
  let current = credentialOf(1);
  const tokens = {
    refused: 0,
    credentials: {
      current: async () => current,
      rejected(credential: unknown) {
        tokens.refused++;
        if (credential === current) current = credentialOf(tokens.refused + 1);
        return true;
      },
    },
  };
  return tokens;
}

test("the next connection works after a 401 in the middle of the day", async () => {
  const tokens = renewedTokens();
  let accepted = "Bearer 1";
  const check = ({ head, socket }: UpgradeRequest) =>
    head.includes(accepted) ? "works" : answering("401 Unauthorized", "{}")({ head, socket });
  await using server = await openEngineServer({ "post-spdy": check }, { credentials: tokens.credentials });
  const way = openWay(server.cluster);
  await using _dialer = way.dialer;
  await way.dial();
  accepted = "Bearer 2";
  await way.dial();
  assert.equal(tokens.refused, 1);
  // Another right is not looked for, and no other engine: what was refused was who asks.
  assert.deepEqual(server.asked, ["post-spdy", "post-spdy", "post-spdy"]);
  await way.dial();
  assert.equal(server.asked.length, 4);
});

test("the next connection carries the credential that took the place of one that has expired", async () => {
  let token = "first";
  const credentials = tokenFromFile("/token", async () => Buffer.from(token));
  await using server = await openEngineServer({ "post-spdy": "works" }, { credentials });
  const way = openWay(server.cluster);
  await using _dialer = way.dialer;
  await way.dial();
  token = "second";
  await way.dial();
  assert.deepEqual(
    server.requests.map(({ head }) => /^authorization: (.*)\r$/im.exec(head)?.[1]),
    ["Bearer first", "Bearer second"],
  );
});

for (const [what, end] of [
  ["closed", (socket) => void socket.end()],
  ["reset", (socket) => void socket.resetAndDestroy()],
  ["ended by a GOAWAY", (socket) => void socket.write(encode({ kind: "goaway" }))],
] as const satisfies readonly (readonly [string, (socket: UpgradeRequest["socket"]) => void])[]) {
  test(`the next connection works when the API server restarts: an idle one was ${what}`, async () => {
    await using server = await openEngineServer({ "post-spdy": "works" });
    const way = openWay(server.cluster);
    await using _dialer = way.dialer;
    (await way.dial()).destroy();
    await turns();
    const [first] = server.requests;
    assert.ok(first !== undefined);
    end(first.socket);
    await until(() => way.connections() === 0);
    await way.dial();
    assert.equal(server.asked.length, 2);
  });
}

for (const status of ["502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"]) {
  test(`the next connection works when a gateway refused an upgrade with ${status}, by the same engine`, async () => {
    await using server = await openEngineServer({ "post-spdy": "works" });
    const way = openWay(server.cluster);
    await using _dialer = way.dialer;
    await way.dial();
    let refusals = 0;
    const page = answering(status, "<html>restarting</html>");
    server.answers.set("post-spdy", (request) => (refusals++ === 0 ? page(request) : "works"));
    await way.dial();
    await way.dial();
    assert.deepEqual(server.asked, Array(4).fill("post-spdy"));
  });
}

test("the next connection works after one that was refused altogether", async () => {
  await using server = await openEngineServer({});
  const way = openWay(server.cluster);
  await using _dialer = way.dialer;
  await assert.rejects(way.dial(), { code: "unavailable" });
  server.answers.set("post-spdy", "works");
  const stream = await way.dial();
  stream.destroy();
  if (!stream.closed) await once(stream, "close");
});
