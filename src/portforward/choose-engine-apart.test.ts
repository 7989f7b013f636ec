/** What PodConnector promises where one pod, node or namespace is different: the others notice nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  answering,
  answeringStatus,
  type EngineAnswer,
  type EngineServer,
  openEngineServer,
} from "../../test/support/engine-server.ts";
import { turns, until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { switching, type UpgradeRequest } from "../../test/support/upgrade-server.ts";
import { silentLogger } from "../log.ts";
import { type PodConnector, podConnector } from "./choose-engine.ts";

const { signal: never } = new AbortController();
const pod = (name: string, namespace = "shop") => ({ namespace, name, uid: `uid-of-${name}` });
const page = answering("405 Method Not Allowed", "<html>no</html>");
const silent = () => {};
const noRight = (verb: string) =>
  answeringStatus("403 Forbidden", `User "joe" cannot ${verb} resource "pods/portforward"`, "pods");

/** Answers requests for one pod or namespace differently. */
function either(where: string, there: EngineAnswer, elsewhere: EngineAnswer): EngineAnswer {
  return (request: UpgradeRequest) => {
    const answer = request.head.includes(`/${where}/`) ? there : elsewhere;
    return answer === "works" ? answer : answer(request);
  };
}

/** The same for every engine. */
const byAll = (answer: EngineAnswer) =>
  ({ "post-spdy": answer, "get-spdy": answer, websocket: answer, v4: answer }) as const;

function connectorTo({ cluster }: Pick<EngineServer, "cluster">) {
  const clock = new FakeClock();
  return { clock, connector: podConnector({ cluster, clock, log: silentLogger() }) };
}

async function connect(connector: PodConnector, target: ReturnType<typeof pod>): Promise<void> {
  await using _connection = await connector.connect(target, never);
}

/** What is asked for by a connection to the pod. */
async function askedBy(server: EngineServer, connector: PodConnector, target: ReturnType<typeof pod>) {
  const before = server.asked.length;
  await connect(connector, target);
  return server.asked.slice(before);
}

test("podConnector() lets a pod wait no longer than 1 s for the search for one on a dead node", async () => {
  await using server = await openEngineServer(byAll(either("dead", silent, "works")));
  const { clock, connector } = connectorTo(server);
  const dead = assert.rejects(connect(connector, pod("dead")), { code: "timeout", message: /shop\/dead: no answer/ });
  await until(() => server.asked.length === 1);
  const well = connect(connector, pod("well"));
  await turns();
  await clock.advance(999);
  assert.deepEqual(server.asked, ["post-spdy"]);
  await clock.advance(1);
  await well;
  assert.deepEqual(server.asked, ["post-spdy", "post-spdy"]);
  assert.deepEqual(await askedBy(server, connector, pod("other")), ["post-spdy"]);
  for (let asked = 3; asked <= 6; asked++) {
    await until(() => server.asked.length === asked && clock.pending === 1);
    await clock.advance(10_000);
  }
  await dead;
  assert.equal(connector.engine, "post-spdy");
  assert.equal(clock.pending, 0);
});

test("podConnector() goes by what another pod's search finds while it waits, and fails with nothing of the dead pod's", async () => {
  await using server = await openEngineServer(byAll(either("dead", silent, "works")));
  const { clock, connector } = connectorTo(server);
  const dead = assert.rejects(connect(connector, pod("dead")), { code: "aborted" });
  await until(() => server.asked.length === 1);
  const waiting = connect(connector, pod("a"));
  await turns();
  await clock.advance(500);
  const later = connect(connector, pod("b"));
  await turns();
  await clock.advance(500);
  await Promise.all([waiting, later]);
  assert.equal(server.asked.length, 3);
  await connector[Symbol.asyncDispose]();
  await dead;
});

test("podConnector() fails all that want one pod with the one search for it", async () => {
  await using server = await openEngineServer(byAll(either("dead", silent, "works")));
  const { clock, connector } = connectorTo(server);
  const all = Array.from({ length: 3 }, () => assert.rejects(connect(connector, pod("dead")), { code: "timeout" }));
  for (let asked = 1; asked <= 4; asked++) {
    await until(() => server.asked.length === asked && clock.pending === 1);
    await clock.advance(10_000);
  }
  await Promise.all(all);
  assert.equal(server.asked.length, 4);
});

test("podConnector() does not search on because a pod's node was deleted", async () => {
  const gone = answeringStatus("404 Not Found", 'nodes "n1" not found', "nodes");
  await using server = await openEngineServer(byAll(either("orphan", gone, "works")));
  const { connector } = connectorTo(server);
  const orphan = assert.rejects(connect(connector, pod("orphan")), {
    code: "unavailable",
    message: 'Cannot forward to pod shop/orphan: nodes "n1" not found',
  });
  await connect(connector, pod("well"));
  await orphan;
  assert.deepEqual(server.asked, ["post-spdy", "post-spdy"]);
});

test("podConnector() fails nobody else when a pod's upgrades are cut behind the 101", async () => {
  const cut = either("sick", ({ socket }) => socket.end(switching), "works");
  await using server = await openEngineServer({ "post-spdy": cut, "get-spdy": cut });
  const { connector } = connectorTo(server);
  const sick = assert.rejects(connect(connector, pod("sick")), { code: "unavailable" });
  await connect(connector, pod("well"));
  await sick;
  assert.equal(connector.engine, "post-spdy");
});

test("podConnector() takes another engine for the one pod that is silent by the first, and for the cluster from the second on", async () => {
  await using server = await openEngineServer({
    "post-spdy": either("slow", silent, "works"),
    "get-spdy": "works",
  });
  const { clock, connector } = connectorTo(server);
  await connect(connector, pod("well"));
  const slow = connect(connector, pod("slow"));
  await until(() => server.asked.length === 2);
  await clock.advance(10_000);
  await slow;
  assert.deepEqual(await askedBy(server, connector, pod("slow")), ["get-spdy"]);
  assert.equal(connector.engine, "post-spdy");
  server.answers.set("post-spdy", silent);
  const next = connect(connector, pod("well"));
  await until(() => server.asked.length === 5);
  await clock.advance(10_000);
  await next;
  assert.deepEqual(await askedBy(server, connector, pod("other")), ["get-spdy"]);
  assert.equal(connector.engine, "get-spdy");
});

test("podConnector() leaves the cluster by its engine when a namespace's rights, and a gateway, want another", async () => {
  await using server = await openEngineServer({
    "post-spdy": either("bank", noRight("create"), "works"),
    "get-spdy": page,
    websocket: "works",
  });
  const { connector } = connectorTo(server);
  assert.deepEqual(await askedBy(server, connector, pod("x", "bank")), ["post-spdy", "get-spdy", "websocket"]);
  assert.deepEqual(await askedBy(server, connector, pod("y")), ["post-spdy"]);
  assert.equal(connector.engine, "post-spdy");
  assert.deepEqual(await askedBy(server, connector, pod("x", "bank")), ["websocket"]);
  assert.equal(connector.engineFor(pod("z", "bank")), "websocket");
});

test("PodConnector.connect() connects again when what it found died while a better engine was tried", async () => {
  const sockets: UpgradeRequest["socket"][] = [];
  let posts = 0;
  await using server = await openEngineServer({
    "post-spdy": (request) => {
      if (++posts === 3) sockets[0]?.resetAndDestroy();
      // Behind the reset, which has arrived by then.
      setImmediate(() => setImmediate(() => answering("502 Bad Gateway")(request)));
    },
    "get-spdy": ({ socket }) => {
      sockets.push(socket);
      return "works";
    },
  });
  const { connector } = connectorTo(server);
  await using connection = await connector.connect(pod("cart"), never);
  await turns();
  assert.equal(connection.isHealthy, true);
  assert.deepEqual(server.asked, ["post-spdy", "post-spdy", "get-spdy", "post-spdy", "post-spdy", "get-spdy"]);
  assert.equal(sockets[1]?.destroyed, false);
});
