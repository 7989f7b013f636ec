import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import {
  answering,
  answeringStatus,
  type EngineAnswer,
  type EngineServer,
  openEngineServer,
} from "../../test/support/engine-server.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { ClientFrames, closeFrame, serverFrame } from "../../test/support/websocket-peer.ts";
import { silentLogger } from "../log.ts";
import type { EngineName } from "../model/engine-name.ts";
import { port } from "../model/port.ts";
import { type PodConnector, podConnector } from "./choose-engine.ts";
import type { DialPod } from "./dial-pod.ts";
import { engineDialer } from "./engine-dialer.ts";
import { openPodDialer } from "./pod-dialer.ts";
import { PodStream } from "./pod-stream.ts";
import { V4Channel } from "./v4-channel.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const endpoint = { pod, port: port(8080) };
const { signal: never } = new AbortController();

function connectorTo({ cluster }: EngineServer, forced?: EngineName): PodConnector {
  return podConnector({ cluster, clock: new FakeClock(), log: silentLogger() }, forced);
}

/** As the daemon dials: pooled but by v4. */
function dialBy(connector: PodConnector): DialPod {
  const pools = openPodDialer({ connect: (of, signal) => connector.connect(of, signal), clock: new FakeClock() });
  return engineDialer(connector, pools.dial);
}

test("engineDialer() dials by v4 where nothing else works, and tries it with a port of nobody", async () => {
  await using server = await openEngineServer({ v4: "works" });
  const connector = connectorTo(server);
  const dial = dialBy(connector);
  const stream = await dial(endpoint, never);
  assert.ok(stream instanceof V4Channel);
  assert.equal(connector.engine, "v4");
  assert.deepEqual(server.asked, ["post-spdy", "get-spdy", "websocket", "v4:1", "v4:8080"]);
  const socket = server.requests[4]?.socket;
  assert.ok(socket !== undefined);
  const frames = new ClientFrames();
  const came = once(socket, "data");
  stream.write("question");
  const [chunk] = await came;
  assert.equal(String(frames.push(chunk)[0]?.payload), "\0question");
  socket.write(Buffer.concat([serverFrame(2, Buffer.from("\0answer")), closeFrame(1000)]));
  const answers: string[] = [];
  for await (const answer of stream) answers.push(String(answer));
  assert.deepEqual(answers, ["answer"]);
  (await dial(endpoint, never)).destroy();
  assert.deepEqual(server.asked.slice(5), ["v4:8080"]);
});

test("engineDialer() leaves v4 when something better works again", async () => {
  await using server = await openEngineServer({ v4: "works" });
  const connector = connectorTo(server);
  const dial = dialBy(connector);
  (await dial(endpoint, never)).destroy();
  server.answers.set("get-spdy", "works");
  server.answers.delete("v4");
  const stream = await dial(endpoint, never);
  assert.ok(stream instanceof PodStream);
  stream.destroy();
  assert.equal(connector.engine, "get-spdy");
});

test("engineDialer() dials each pod by the engine of its namespace", async () => {
  const noRight = (verb: string) =>
    answeringStatus("403 Forbidden", `User "joe" cannot ${verb} resource "pods/portforward"`, "pods");
  const inBank = (there: EngineAnswer, elsewhere: EngineAnswer): EngineAnswer => {
    return (request) => {
      const answer = request.head.includes("/bank/") ? there : elsewhere;
      return answer === "works" ? answer : answer(request);
    };
  };
  const blocked = inBank(answering("405 Method Not Allowed"), noRight("get"));
  await using server = await openEngineServer({
    "post-spdy": inBank(noRight("create"), "works"),
    "get-spdy": blocked,
    websocket: blocked,
    v4: inBank("works", noRight("get")),
  });
  const connector = connectorTo(server);
  const dial = dialBy(connector);
  const banker = { pod: { namespace: "bank", name: "till-0", uid: "u2" }, port: port(8080) };
  for (const round of [1, 2]) {
    const stream = await dial(endpoint, never);
    assert.ok(stream instanceof PodStream, `round ${round}`);
    stream.destroy();
    const channel = await dial(banker, never);
    assert.ok(channel instanceof V4Channel, `round ${round}`);
    channel.destroy();
  }
  assert.equal(connector.engine, "post-spdy");
});

test("engineDialer() makes as many connections by v4 as a pool would, and says so to those above", async () => {
  await using server = await openEngineServer({ v4: "works" });
  const clock = new FakeClock();
  await using connector = podConnector({ cluster: server.cluster, clock, log: silentLogger() }, "v4");
  const dial = engineDialer(connector, () => Promise.reject(new Error("not by a pool")));
  const channels = await Promise.all(Array.from({ length: 256 }, () => dial(endpoint, never)));
  const late = assert.rejects(dial(endpoint, never), {
    code: "unavailable",
    message: "Cannot forward to shop/cart-0:8080: the limit of 256 connections to pods is reached",
  });
  await clock.advance(5_000);
  await late;
  const next = dial(endpoint, never);
  channels[0]?.destroy();
  channels[0] = await next;
  assert.equal(server.asked.length, 257);
  for (const channel of channels) channel.destroy();
});

test("engineDialer() throws what both kinds say, once", async () => {
  await using server = await openEngineServer({});
  await assert.rejects(dialBy(connectorTo(server))(endpoint, never), { code: "unavailable" });
  assert.equal(server.asked.length, 4);
});

test("PodConnector.connect() refuses at once where the engine is v4, PodConnector.dial() where it is another", async () => {
  await using server = await openEngineServer({ v4: "works", "post-spdy": "works" });
  const message = /the engine of this cluster is v4 now$/;
  await assert.rejects(connectorTo(server, "v4").connect(pod, never), { code: "unavailable", message });
  assert.deepEqual(server.asked, []);
  await assert.rejects(connectorTo(server).dial(endpoint, never), {
    code: "unavailable",
    message: /is post-spdy now$/,
  });
});

test("PodConnector.probe() touches no port that pods use, by whatever engine", async () => {
  await using server = await openEngineServer({ v4: "works" });
  const connector = connectorTo(server);
  await connector.probe(pod, never);
  await connector.probe(pod, never);
  assert.deepEqual(server.asked.slice(3), ["v4:1", "v4:1"]);
  for (const { socket } of server.requests) if (!socket.closed) await once(socket, "close");
});
