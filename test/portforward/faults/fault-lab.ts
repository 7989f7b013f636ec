/**
 * Everything between an application and a container runtime, with both ends played by the test: a real local connection
 * into a tunnel, the pool, an engine, a real upgrade. What the application sees is what is judged.
 */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { ErrorCode } from "../../../src/errors.ts";
import { silentLogger } from "../../../src/log.ts";
import { isLoopbackAddress } from "../../../src/model/loopback.ts";
import { port } from "../../../src/model/port.ts";
import { podConnector } from "../../../src/portforward/choose-engine.ts";
import { openPodDialer } from "../../../src/portforward/pod-dialer.ts";
import type { PoolOptions } from "../../../src/portforward/pool-options.ts";
import { Tunnel } from "../../../src/tunnel/tunnel.ts";
import { turns, until } from "../../support/event-loop.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { LoopbackListen } from "../../support/loopback-listen.ts";
import { SpdyRuntime } from "../../support/spdy-runtime.ts";
import { openUpgradeServer, switching, type UpgradeRequest } from "../../support/upgrade-server.ts";
import { asGorilla, type Framing, inFragments, TunnelPeer, webSocketAnswer } from "../../support/websocket-peer.ts";

/** A way to a runtime that the suites run over. */
export interface FaultCarrier {
  readonly name: string;
  readonly engine: "post-spdy" | "get-spdy" | "websocket";
  /** The 101 that lets the request pass. */
  readonly answerTo: (request: UpgradeRequest) => string;
  /** What SPDY is read from and written to behind it. */
  readonly carry: (socket: Socket) => Duplex;
}

/** All of them. */
export const faultCarriers: readonly FaultCarrier[] = [
  spdy("post-spdy"),
  spdy("get-spdy"),
  webSocket("websocket", asGorilla),
  webSocket("websocket in fragments", inFragments),
];

function spdy(engine: "post-spdy" | "get-spdy"): FaultCarrier {
  return { name: engine, engine, answerTo: () => switching, carry: (socket) => socket };
}

function webSocket(name: string, framing: Framing): FaultCarrier {
  const carry = (socket: Socket) => new TunnelPeer(socket, framing);
  return { name, engine: "websocket", answerTo: ({ head }) => webSocketAnswer(head), carry };
}

/** An upgraded connection as the runtime has it. */
export interface FarEnd {
  readonly request: UpgradeRequest;
  readonly runtime: SpdyRuntime;
}

/** A connection's end as its application sees it, and what becomes of the connection to the pod. */
export interface Outcome {
  readonly text: string;
  readonly ending: "FIN" | "RST";
  /** The port's last error. */
  readonly code: ErrorCode | undefined;
  /** Whether the next application is served over the same upgraded connection. */
  readonly next: "same" | "new";
}

/** Opens a lab with one pod, the pool's options as they are but for these; disposing it checks that nothing is left. */
export async function openFaultLab(carrier: FaultCarrier, pool: Pick<Partial<PoolOptions>, "connectionsPerPod"> = {}) {
  const socketsBefore = openSockets();
  const clock = new FakeClock();
  const farEnds: FarEnd[] = [];
  const apps: App[] = [];
  /** What happens to an upgrade; true lets it pass. */
  let onUpgrade: (request: UpgradeRequest) => boolean = () => true;
  const server = await openUpgradeServer((request) => {
    // As the servers on the way have it; else the second of two writes waits for 40 ms, while the fake clock runs.
    request.socket.setNoDelay(true);
    request.socket.resume();
    if (!onUpgrade(request)) return;
    request.socket.write(carrier.answerTo(request));
    passOn(request);
  });
  const passOn = (request: UpgradeRequest) => {
    const runtime = new SpdyRuntime(carrier.carry(request.socket));
    runtime.answersPings = true;
    farEnds.push({ request, runtime });
  };
  const connector = podConnector({ cluster: server.cluster, clock, log: silentLogger() }, carrier.engine);
  // Without a spare, so that connections can be counted.
  const dialer = openPodDialer(
    { connect: (pod, signal) => connector.connect(pod, signal), clock },
    { spareMs: 0, ...pool },
  );
  const listener = new LoopbackListen();
  const address = "127.1.2.3";
  assert.ok(isLoopbackAddress(address));
  const tunnel = new Tunnel({ dial: dialer.dial, listen: listener.listen, clock, log: silentLogger() }, address);
  const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
  await tunnel.update([{ port: port(80), endpoints: [{ pod, port: port(8080) }] }]);

  const lab = {
    clock,
    requests: server.requests,
    farEnds,
    /** Puts a runtime behind an upgrade that the test has answered itself. */
    passOn,
    setOnUpgrade(answer: (request: UpgradeRequest) => boolean): void {
      onUpgrade = answer;
    },
    /** The pod leaves its Service. */
    retire(): void {
      dialer.retire(pod.uid);
    },
    /** The port's last error. */
    get code(): ErrorCode | undefined {
      return tunnel.ports[0]?.lastError?.code;
    },
    /** An application that connects. */
    call(): App {
      const app = new App(listener.connect("127.1.2.3:80"));
      apps.push(app);
      return app;
    },
    /** The upgraded connection of this number, once streams are asked for on it. */
    async farEnd(index = 0): Promise<FarEnd> {
      await lab.until(() => (farEnds[index]?.runtime.frames.length ?? 0) > 0);
      const found = farEnds[index];
      assert.ok(found !== undefined);
      return found;
    },
    /** Waits until it holds; time passes if it must, a minute at most. */
    async until(holds: () => boolean): Promise<void> {
      for (let turn = 0; !holds(); turn++) {
        await turns(1);
        if (turn % 50 === 49) await clock.advance(50);
        assert.ok(turn < 60_000, "it did not happen within a minute");
      }
    },
    /** Waits for the application's end. */
    ended: (app: App): Promise<void> => lab.until(() => app.ending !== undefined),
    /** The outcome for the application, whose connection is the first. */
    async outcome(app: App): Promise<Outcome> {
      await lab.ended(app);
      const { code } = lab;
      app.socket.destroy();
      await turns(50);
      return { text: app.text, ending: app.ending ?? "FIN", code, next: await lab.next() };
    },
    /** Serves one more application and says whether it came by the first connection. */
    async next(): Promise<Outcome["next"]> {
      for (const { runtime } of farEnds) runtime.frames.length = 0;
      const app = lab.call();
      app.socket.write("again");
      const hasCalled = ({ runtime }: FarEnd) => runtime.frames.some(({ kind }) => kind === "syn");
      await lab.until(() => app.ending !== undefined || farEnds.some(hasCalled));
      const served = farEnds.find(hasCalled);
      assert.ok(served !== undefined, "the next application was not served");
      const { dataId, errorId } = await served.runtime.takePair();
      assert.equal(String(await served.runtime.takeData(5)), "again");
      served.runtime.say(dataId, "and again", true);
      served.runtime.fin(errorId);
      await lab.ended(app);
      assert.deepEqual([app.text, app.ending], ["and again", "FIN"]);
      app.socket.destroy();
      await turns(20);
      return served === farEnds[0] ? "same" : "new";
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const { socket } of apps) socket.destroy();
      await tunnel[Symbol.asyncDispose]();
      await dialer[Symbol.asyncDispose]();
      await connector[Symbol.asyncDispose]();
      // Closed by the product, not by the server's end.
      await lab.until(() => server.requests.every(({ socket }) => socket.destroyed || socket.readableEnded));
      await server[Symbol.asyncDispose]();
      assert.equal(clock.pending, 0, "timers are left");
      await lab.until(() => openSockets() <= socketsBefore);
    },
  };
  return lab;
}

/** The lab. */
export type FaultLab = Awaited<ReturnType<typeof openFaultLab>>;

/** A local application's end of a connection. */
export class App {
  readonly socket: Socket;
  text = "";
  ending: "FIN" | "RST" | undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.text += String(chunk);
    });
    socket.on("end", () => {
      this.ending ??= "FIN";
    });
    socket.on("error", () => {
      this.ending ??= "RST";
    });
  }

  /** Resolves when so much has come. */
  async heard(text: string): Promise<void> {
    await until(() => this.text.length >= text.length);
    assert.equal(this.text, text);
  }
}

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => /^TCP|^TLS/.test(name)).length;
}
