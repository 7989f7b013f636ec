/** A tunnel over two pods of the real cluster, one of which refuses the port: nobody notices. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { silentLogger } from "../../src/log.ts";
import type { Endpoint } from "../../src/model/endpoint.ts";
import { isLoopbackAddress } from "../../src/model/loopback.ts";
import { port } from "../../src/model/port.ts";
import { type ListenAddress, listenHere } from "../../src/net/listen.ts";
import { localEnds } from "../../src/net/tcp-table.ts";
import { type PodConnector, podConnector } from "../../src/portforward/choose-engine.ts";
import { engineDialer } from "../../src/portforward/engine-dialer.ts";
import { openPodDialer, type PodDialer } from "../../src/portforward/pod-dialer.ts";
import { Tunnel } from "../../src/tunnel/tunnel.ts";
import type { TunnelComponents } from "../../src/tunnel/tunnel-components.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";

const namespace = `failover-${randomBytes(3).toString("hex")}`;

/** Of the two applications only "has" listens on it. */
const oneSided = 7100;

describe("a tunnel over a pod that listens and one that does not", () => {
  let cluster: Cluster;
  let has: Endpoint["pod"];
  let lacks: Endpoint["pod"];
  let components: TunnelComponents;
  let connector: PodConnector;
  let pools: PodDialer;
  let dialled: string[] = [];

  before(async () => {
    cluster = await startCluster();
    await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
    await cluster.apply([
      ...testApp({ name: "has", namespace, httpPorts: [oneSided] }),
      ...testApp({ name: "lacks", namespace }),
    ]);
    [has, lacks] = await Promise.all([readyPod("has"), readyPod("lacks")]);
    const { kubeconfig } = cluster;
    const kube = await loadCluster({ path: kubeconfig, env: {}, home: "/", readFile: (path) => readFile(path) });
    connector = podConnector({ cluster: kube, clock, log: silentLogger() });
    pools = openPodDialer({ connect: (pod, signal) => connector.connect(pod, signal), clock });
    const dialPod = engineDialer(connector, pools.dial);
    const dial: TunnelComponents["dial"] = async (endpoint, signal) => {
      dialled.push(endpoint.pod.name);
      return await dialPod(endpoint, signal);
    };
    components = { dial, listen: listenHere, ...localEnds({ clock }), clock, log: silentLogger() };
  });

  after(async () => {
    await pools?.[Symbol.asyncDispose]();
    await connector?.[Symbol.asyncDispose]();
    await cluster?.kubectl(["delete", "namespace", namespace, "--wait=false"]);
    await cluster?.[Symbol.asyncDispose]();
  });

  test("every request is answered, 30 one after the other and 20 at once", async () => {
    dialled = [];
    await using opened = await openTunnel([has, lacks]);
    for (let turn = 0; turn < 30; turn++) assert.match(await request(opened.at), /hello from has/);
    const answers = await Promise.all(Array.from({ length: 20 }, () => request(opened.at)));
    assert.equal(answers.filter((answer) => answer.includes("hello from has")).length, 20);
    assert.ok(dialled.includes(lacks.name), "the pod that refuses was never tried");
    const [status] = opened.tunnel.ports;
    assert.deepEqual([status?.state, status?.lastError], ["listening", undefined]);
  });

  test("a question of 60 KiB whose caller has ended his side before it was refused is repeated whole", async () => {
    dialled = [];
    await using opened = await openTunnel([lacks, has]);
    const body = "x".repeat(60 * 1024);
    for (let turn = 0; turn < 2; turn++) {
      const app = dialLoopback(opened.at);
      app.end(
        `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}GET /behind HTTP/1.1\r\nHost: a\r\n\r\n`,
      );
      // The second answer is the proof that not a byte of the first question was lost or came twice.
      const answers = await answerOf(app, "GET /behind");
      assert.match(answers, /hello from has .*POST \/ .*hello from has .*GET \/behind/s);
    }
    assert.ok(dialled.includes(lacks.name));
  });

  test("a real RST comes when no pod listens", async () => {
    await using opened = await openTunnel([lacks]);
    await assert.rejects(request(opened.at), { code: "ECONNRESET" });
    assert.equal(opened.tunnel.ports[0]?.lastError?.code, "refused");
  });

  async function openTunnel(pods: readonly Endpoint["pod"][]) {
    const at = await freePort();
    const tunnel = new Tunnel(components, at.address);
    await tunnel.update([{ port: at.port, endpoints: pods.map((pod) => ({ pod, port: port(oneSided) })) }]);
    return { at, tunnel, [Symbol.asyncDispose]: () => tunnel[Symbol.asyncDispose]() };
  }

  async function readyPod(name: string): Promise<Endpoint["pod"]> {
    const [ready] = await cluster.waitForReadyPods(namespace, `app=${name}`, 1);
    assert.ok(ready !== undefined);
    return { namespace, name: ready.name, uid: ready.uid };
  }
});

async function freePort(): Promise<ListenAddress> {
  const address = "127.0.0.1";
  const server = createServer().listen(0, address);
  await once(server, "listening");
  const at = server.address();
  assert.ok(at !== null && typeof at === "object" && isLoopbackAddress(address));
  server.close();
  await once(server, "close");
  return { address, port: port(at.port) };
}

function dialLoopback({ address, port: number }: ListenAddress): Socket {
  return connect({ host: address, port: number, allowHalfOpen: true });
}

/** The first answer that comes; it is not waited for the pod's end, which the runtime tells a second late. */
async function request(at: ListenAddress): Promise<string> {
  const app = dialLoopback(at);
  app.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  return await answerOf(app, "GET /");
}

/** Reads until the text has come, then closes. */
async function answerOf(app: Socket, last: string): Promise<string> {
  let answer = "";
  for await (const chunk of app) {
    answer += String(chunk);
    if (answer.includes(last)) break;
  }
  return answer;
}
