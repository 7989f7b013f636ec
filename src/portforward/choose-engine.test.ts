import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import {
  type AskedEngine,
  answering,
  answeringStatus,
  type EngineAnswer,
  type EngineServer,
  openEngineServer,
} from "../../test/support/engine-server.ts";
import { turns, until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { switching } from "../../test/support/upgrade-server.ts";
import type { EngineName } from "../model/engine-name.ts";
import { type PodConnector, podConnector } from "./choose-engine.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const { signal: never } = new AbortController();
const page = answering("405 Method Not Allowed", "<html>no</html>");
const noRight = (verb: string) =>
  answeringStatus(
    "403 Forbidden",
    `pods "x" is forbidden: User "joe" cannot ${verb} resource "pods/portforward"`,
    "pods",
  );

/** A connector to the server, and what it logs. */
function connectorTo({ cluster }: Pick<EngineServer, "cluster">, forced?: EngineName) {
  const clock = new FakeClock();
  const logged: unknown[] = [];
  const log = { info: (message: string, fields?: object) => void logged.push({ message, ...fields }) };
  return { clock, logged, connector: podConnector({ cluster, clock, log }, forced) };
}

/** Connects and closes. */
async function connect(connector: PodConnector, target = pod): Promise<void> {
  await using _connection = await connector.connect(target, never);
}

test("podConnector() uses POST where it works, and asks once for each connection", async () => {
  await using server = await openEngineServer({ "post-spdy": "works", websocket: "works" });
  const { connector, logged, clock } = connectorTo(server);
  assert.equal(connector.engine, undefined);
  await connect(connector);
  await connect(connector);
  assert.equal(connector.engine, "post-spdy");
  assert.deepEqual(server.asked, ["post-spdy", "post-spdy"]);
  assert.deepEqual(logged, []);
  assert.equal(clock.pending, 0);
});

/** What may be a hiccup is tried twice, and the best engine once more at the end. */
const twice = ["post-spdy", "post-spdy", "get-spdy", "get-spdy", "websocket", "post-spdy", "post-spdy"] as const;

/** What refuses POST and GET, and what is asked for until the WebSocket works. */
const gateways: readonly (readonly [name: string, answer: EngineAnswer, asked: readonly AskedEngine[]])[] = [
  ["200", answering("200 OK", "<html>log in</html>"), ["post-spdy", "get-spdy", "websocket"]],
  ["302", answering("302 Found"), ["post-spdy", "get-spdy", "websocket"]],
  ["400", answeringStatus("400 Bad Request", "Upgrade request required"), ["post-spdy", "get-spdy", "websocket"]],
  ["403", answering("403 Forbidden", "policy"), ["post-spdy", "get-spdy", "websocket"]],
  ["404", answering("404 Not Found", "no route"), ["post-spdy", "get-spdy", "websocket"]],
  ["405", page, ["post-spdy", "get-spdy", "websocket"]],
  ["426", answering("426 Upgrade Required"), ["post-spdy", "get-spdy", "websocket"]],
  ["501", answering("501 Not Implemented"), ["post-spdy", "get-spdy", "websocket"]],
  ["502", answering("502 Bad Gateway"), twice],
  ["a cut", ({ socket }) => socket.destroy(), twice],
  ["a reset", ({ socket }) => socket.resetAndDestroy(), twice],
  [
    "101 for something else",
    ({ socket }) => socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"),
    ["post-spdy", "get-spdy", "websocket"],
  ],
  ["101 and noise", ({ socket }) => socket.write(`${switching}<html>`), ["post-spdy", "get-spdy", "websocket"]],
  ["101 and an end", ({ socket }) => socket.end(switching), ["post-spdy", "get-spdy", "websocket", "post-spdy"]],
];
for (const [name, answer, asked] of gateways) {
  test(`podConnector() goes on to the WebSocket where SPDY gets ${name}, and remembers`, async () => {
    await using server = await openEngineServer({ "post-spdy": answer, "get-spdy": answer, websocket: "works" });
    const { connector, logged } = connectorTo(server);
    await connect(connector);
    assert.deepEqual(server.asked, asked);
    await connect(connector);
    assert.deepEqual(server.asked, [...asked, "websocket"]);
    assert.equal(connector.engine, "websocket");
    assert.equal(logged.length, 1);
  });
}

test("podConnector() goes on where a 101 is followed by silence, or nothing is answered at all", async () => {
  await using server = await openEngineServer({
    "post-spdy": ({ socket }) => socket.write(switching),
    "get-spdy": () => {},
    websocket: "works",
  });
  const { connector, clock } = connectorTo(server);
  const connected = connect(connector);
  await until(() => server.asked.length === 1);
  await until(() => clock.pending === 1);
  // The ping is on its way.
  await turns(50);
  await clock.advance(5_000);
  await until(() => server.asked.length === 2);
  await clock.advance(10_000);
  await connected;
  assert.deepEqual(server.asked, ["post-spdy", "get-spdy", "websocket"]);
});

test("podConnector() takes GET where only `create` is missing, and nothing else where both are", async () => {
  await using getter = await openEngineServer({ "post-spdy": noRight("create"), "get-spdy": "works" });
  const first = connectorTo(getter);
  await connect(first.connector);
  assert.equal(first.connector.engine, "get-spdy");
  await using nobody = await openEngineServer({
    "post-spdy": noRight("create"),
    "get-spdy": noRight("get"),
    v4: "works",
  });
  const second = connectorTo(nobody);
  await assert.rejects(connect(second.connector), {
    code: "denied",
    message:
      'Cannot forward to pod shop/cart-0: pods "x" is forbidden: User "joe" cannot create resource "pods/portforward"',
  });
  assert.deepEqual(nobody.asked, ["post-spdy", "get-spdy"]);
  assert.equal(second.connector.engine, undefined);
});

test("podConnector() keeps rights apart by namespace", async () => {
  await using server = await openEngineServer({
    "post-spdy": (request) => (request.head.includes("/bank/") ? noRight("create")(request) : "works"),
    "get-spdy": "works",
  });
  const { connector } = connectorTo(server);
  await connect(connector);
  await connect(connector, { ...pod, namespace: "bank" });
  await connect(connector, { ...pod, namespace: "bank" });
  await connect(connector);
  assert.deepEqual(server.asked, ["post-spdy", "post-spdy", "get-spdy", "get-spdy", "post-spdy"]);
  assert.equal(connector.engine, "post-spdy");
  assert.deepEqual(
    ["shop", "bank", "mall"].map((namespace) => connector.engineIn(namespace)),
    [...["post-spdy", "get-spdy", "post-spdy"]],
  );
});

test("podConnector() changes nothing for what is said of the pod", async () => {
  const gone = answeringStatus("404 Not Found", 'pods "cart-0" not found', "pods");
  const dead = answeringStatus("500 Internal Server Error", "error dialing backend: no route to host");
  await using server = await openEngineServer({ "post-spdy": gone, websocket: "works" });
  const { connector } = connectorTo(server);
  await assert.rejects(connect(connector), { code: "gone" });
  server.answers.set("post-spdy", "works");
  await connect(connector);
  server.answers.set("post-spdy", dead);
  await assert.rejects(connect(connector), { code: "unavailable", message: /cart-0: error dialing backend/ });
  assert.deepEqual(server.asked, ["post-spdy", "post-spdy", "post-spdy"]);
});

test("podConnector() takes the word of whoever got through for the pod's", async () => {
  const gone = answeringStatus("404 Not Found", 'pods "cart-0" not found', "pods");
  await using server = await openEngineServer({ websocket: gone });
  await assert.rejects(connect(connectorTo(server).connector), { code: "gone" });
});

test("podConnector() makes one search for all that connect at once", async () => {
  await using server = await openEngineServer({ websocket: "works" });
  const { connector } = connectorTo(server);
  await Promise.all(Array.from({ length: 10 }, () => connect(connector)));
  assert.deepEqual(server.asked.slice(0, 3), ["post-spdy", "get-spdy", "websocket"]);
  assert.equal(server.asked.length, 12);
});

test("podConnector() fails all that connect at once with one search, each with its pod's name", async () => {
  await using server = await openEngineServer({});
  const { connector } = connectorTo(server);
  const names = ["cart-0", "cart-1"];
  const failed = await Promise.allSettled(names.map((name) => connect(connector, { ...pod, name })));
  const reasons = failed.map((result) => (result.status === "rejected" ? String(result.reason) : ""));
  names.forEach((name, index) => {
    const also = "get-spdy: 405 <html>no</html>; websocket: 405 <html>no</html>; v4: 405 <html>no</html>";
    assert.equal(reasons[index], `LocalizerError: Cannot forward to pod shop/${name}: 405 <html>no</html> (${also})`);
  });
  assert.deepEqual(server.asked, ["post-spdy", "get-spdy", "websocket", "v4:1"]);
});

test("podConnector() searches anew when the remembered engine begins to be refused", async () => {
  await using server = await openEngineServer({ "post-spdy": "works", websocket: "works" });
  const { connector } = connectorTo(server);
  await connect(connector);
  server.answers.delete("post-spdy");
  await connect(connector);
  assert.equal(connector.engine, "websocket");
  server.answers.set("post-spdy", "works");
  server.answers.delete("websocket");
  await connect(connector);
  assert.equal(connector.engine, "post-spdy");
  assert.deepEqual(server.asked, ["post-spdy", "post-spdy", "get-spdy", "websocket", "websocket", "post-spdy"]);
});

test("podConnector() takes one hiccup for one", async () => {
  await using server = await openEngineServer({ "post-spdy": "works", websocket: "works" });
  const { connector } = connectorTo(server);
  await connect(connector);
  server.answers.set("post-spdy", ({ socket }) => {
    server.answers.set("post-spdy", "works");
    socket.destroy();
  });
  await connect(connector);
  assert.deepEqual(server.asked, ["post-spdy", "post-spdy", "post-spdy"]);
});

test("podConnector() comes back to the engine that met a server that was only starting", async () => {
  await using server = await openEngineServer({ "post-spdy": "works" });
  const { connector, logged } = connectorTo(server);
  await connect(connector);
  server.answers.set("post-spdy", answering("503 Service Unavailable"));
  server.answers.set("get-spdy", () => {
    server.answers.set("post-spdy", "works");
    return "works";
  });
  await connect(connector);
  assert.equal(connector.engine, "post-spdy");
  assert.deepEqual(server.asked.slice(1), ["post-spdy", "post-spdy", "get-spdy", "post-spdy"]);
  assert.deepEqual(logged, []);
});

test("PodConnector.reset() forgets what worked, also what is being found out", async () => {
  await using server = await openEngineServer({ websocket: "works" });
  const { connector } = connectorTo(server);
  await connect(connector);
  server.answers.set("post-spdy", "works");
  connector.reset();
  await connect(connector);
  assert.equal(connector.engine, "post-spdy");
  connector.reset();
  const connected = connect(connector);
  connector.reset();
  await connected;
  assert.deepEqual(server.asked.slice(3), ["post-spdy", "post-spdy", "post-spdy"]);
});

test("podConnector() uses the engine that is forced, and no other", async () => {
  for (const engine of ["post-spdy", "get-spdy", "websocket"] as const) {
    await using server = await openEngineServer({ [engine]: "works" });
    const { connector } = connectorTo(server, engine);
    assert.equal(connector.engine, engine);
    await connect(connector);
    server.answers.delete(engine);
    await assert.rejects(connect(connector), {
      code: "unavailable",
      message: "Cannot forward to pod shop/cart-0: 405 <html>no</html>",
    });
    assert.deepEqual(server.asked, [engine, engine]);
  }
});

test("podConnector() asks nobody twice when nobody is there", async () => {
  const server = await openEngineServer({});
  await server[Symbol.asyncDispose]();
  await assert.rejects(connect(connectorTo(server).connector), {
    code: "unavailable",
    message: /^Cannot forward to pod shop\/cart-0: Cannot .*refused/,
  });
});

test("podConnector() finishes the search of a caller who left, for others, and closes what it found", async () => {
  const asked = Promise.withResolvers<() => unknown>();
  await using server = await openEngineServer({ websocket: "works" });
  server.answers.set("post-spdy", (request) => asked.resolve(() => page(request)));
  const { connector } = connectorTo(server);
  const controller = new AbortController();
  const left = connector.connect(pod, controller.signal);
  const other = connect(connector);
  const goOn = await asked.promise;
  controller.abort();
  await assert.rejects(left, { code: "aborted" });
  goOn();
  await other;
  assert.deepEqual(server.asked, ["post-spdy", "get-spdy", "websocket", "websocket"]);
  for (const { socket } of server.requests) if (!socket.closed) await once(socket, "close");
});

test("PodConnector's disposing ends the search", async () => {
  await using server = await openEngineServer({ "post-spdy": () => {} });
  const { connector, clock } = connectorTo(server);
  const connected = assert.rejects(connect(connector), { code: "aborted" });
  await until(() => server.asked.length === 1);
  await connector[Symbol.asyncDispose]();
  await connected;
  assert.equal(clock.pending, 0);
});
