/**
 * What blocks workers of container runtimes for good (design/verified.md 0.1): DATA for a stream whose pod side has gone.
 * However often it happens, no later connection of the service may be harmed, and none that is open.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import type { EngineName } from "../../src/model/engine-name.ts";
import { startHttpProxy } from "../support/proxies.ts";
import { startRelay } from "../support/relay.ts";
import { type MixedPorts, open } from "./mixed-load.ts";
import { openPodTunnel, type PodTunnel } from "./pod-tunnel.ts";

/** An echo that takes longer has met a worker that is stuck. */
const echoMs = 5_000;

/** Each way to the API server: what is sent in that time is under way when the pod's FIN comes. */
const delayMs = 30;

/** How often each happens: five would be enough to block a whole connection. */
const times = 8;

/** Of those at once: fewer than the connections that a pool has for a pod. */
const atOnce = 4;

/** Each way to poison a connection, ending when the application has seen the end. */
const poisons: Readonly<Record<string, (ports: MixedPorts) => Promise<void>>> = {
  "a refused port with one frame behind the SYNs": ({ host, refused }) => refusedWith(host, refused, ["x"]),
  "a refused port with many frames behind the SYNs": ({ host, refused }) =>
    refusedWith(host, refused, Array(8).fill("x".repeat(8_000))),
  "an application that closes while it is sent to": async ({ host, closesEarly }) => {
    using peer = open(host, closesEarly);
    await sendOn(peer.socket, 1_500);
  },
  "an application that has closed, sent to behind its FIN": async ({ host, closesEarly }) => {
    using peer = open(host, closesEarly);
    peer.socket.write("x");
    await peer.rest();
    await sendOn(peer.socket, 500);
  },
  "an application that closes, sent to just when its FIN comes": async ({ host, closesEarly }) => {
    using peer = open(host, closesEarly);
    peer.socket.write("x");
    await peer.read(3);
    // The runtime's FIN comes a second after the application's, and meets what left before it was here.
    await clock.sleep(1_000 - delayMs);
    await sendOn(peer.socket, 100, 2);
  },
  "an application that closes within an upload": async ({ host, closesEarly }) => {
    using peer = open(host, closesEarly);
    const block = randomBytes(256 * 1024);
    for (let turn = 0; turn < 20 && !peer.socket.destroyed; turn++) {
      peer.socket.write(block);
      await clock.sleep(50);
    }
  },
};

/** Registers the tests in the describe block that calls it. */
export function poisonSuite(engine: EngineName): void {
  const stack = new AsyncDisposableStack();
  let way: PodTunnel;

  before(async () => {
    const proxy = stack.use(await startHttpProxy());
    const relay = stack.use(await startRelay(proxy.port, "127.0.0.1", delayMs));
    way = stack.use(await openPodTunnel({ engine, proxy: new URL(`http://127.0.0.1:${relay.port}`) }));
  });

  after(() => stack.disposeAsync());

  for (const [name, poison] of Object.entries(poisons)) {
    test(`${name}, ${times} times: nobody else is harmed, then or later`, async () => {
      const { ports } = way;
      using bystander = open(ports.host, ports.echo);
      let isOver = false;
      let echoes = 0;
      const standingBy = (async () => {
        for (; !isOver; echoes++) {
          await echoed(bystander, "the bystander");
          await clock.sleep(50);
        }
      })();
      let started = 0;
      const work = async () => {
        while (started < times) {
          started++;
          await poison(ports);
          for (let turn = 0; turn < 3; turn++) await freshEcho(ports, "a later connection");
        }
      };
      await Promise.all(Array.from({ length: atOnce }, work));
      // Long enough for what lingers to be given out again.
      await clock.sleep(1_500);
      await Promise.all(Array.from({ length: 16 }, () => freshEcho(ports, "a connection after all")));
      isOver = true;
      await standingBy;
      assert.ok(echoes > 10, `the bystander had ${echoes} echoes`);
    });
  }
}

async function refusedWith(host: string, port: number, frames: readonly string[]): Promise<void> {
  using peer = open(host, port);
  for (const frame of frames) peer.socket.write(frame);
  const code = await new Promise<string | undefined>((resolve) => {
    peer.socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    peer.socket.once("end", () => resolve("a FIN"));
    peer.socket.resume();
  });
  assert.equal(code, "ECONNRESET");
}

/** Small frames for so long, whatever comes back. */
async function sendOn(socket: ReturnType<typeof open>["socket"], ms: number, everyMs = 20): Promise<void> {
  const untilMs = clock.monotonic() + ms;
  socket.resume();
  while (clock.monotonic() < untilMs && socket.writable) {
    socket.write("more");
    await clock.sleep(everyMs);
  }
}

async function freshEcho({ host, echo }: MixedPorts, who: string): Promise<void> {
  using peer = open(host, echo);
  await echoed(peer, who);
}

async function echoed(peer: ReturnType<typeof open>, who: string): Promise<void> {
  const text = randomBytes(16).toString("hex");
  peer.socket.write(text);
  const stop = new AbortController();
  const late = clock.sleep(echoMs, stop.signal).then(
    () => assert.fail(`${who} had no echo within ${echoMs} ms`),
    () => "",
  );
  const got = await Promise.race([peer.read(text.length), late]);
  stop.abort();
  assert.equal(String(got), text, who);
}
