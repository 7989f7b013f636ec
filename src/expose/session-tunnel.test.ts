import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { finished } from "../../test/support/expose-lab.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { port } from "../model/port.ts";
import type { SshIdentity } from "../ssh/ssh-connection.ts";
import { openTunnel } from "./session-tunnel.ts";

const endpoint: Endpoint = { pod: { namespace: "shop", name: "p", uid: "u" }, port: port(2222) };
const identity: SshIdentity = { user: "me", clientKey: { privateKey: "k", publicKey: "p" }, hostKey: "h" };
const taken = new LocalizerError("conflict", "The port is taken");
const wish = {
  endpoint,
  identity,
  ports: [80, 443].map((remote) => ({ remote: port(remote), take: () => {}, refused: () => {} })),
};

/** A pod whose sshd refuses ports in these ways, one forward after the other. */
function setUp(refusals: readonly (LocalizerError | undefined)[] = []) {
  const clock = new FakeClock();
  const stop = new AbortController();
  const log: string[] = [];
  const { near: transport } = duplexPair();
  const answers = [...refusals];
  const components = {
    clock,
    random: () => 1,
    dial: async (to: Endpoint): Promise<Duplex> => {
      assert.equal(to, endpoint);
      log.push("dial");
      return transport;
    },
    connectSsh: async (over: Duplex, who: SshIdentity) => {
      assert.deepEqual([over === transport, who === identity], [true, true]);
      log.push("connect");
      return {
        closed: new AbortController().signal,
        forward: async (remote: number, take: unknown, _signal: unknown, refused: unknown) => {
          log.push(`forward ${remote}`);
          const own = wish.ports.find((one) => one.remote === remote);
          assert.deepEqual([take === own?.take, refused === own?.refused], [true, true]);
          const refusal = answers.shift();
          if (refusal !== undefined) throw refusal;
        },
        [Symbol.asyncDispose]: async () => {
          log.push("close");
        },
      };
    },
  };
  return { components, clock, stop, log, transport };
}

test("openTunnel() dials, logs in, has all ports listen, and gives the connection open", async () => {
  const { components, stop, log, clock } = setUp();
  const ssh = await openTunnel(components, wish, stop.signal);
  assert.deepEqual(log, ["dial", "connect", "forward 80", "forward 443"]);
  assert.equal(clock.pending, 0);
  await ssh[Symbol.asyncDispose]();
});

test("openTunnel() waits for a port that an earlier connection still holds, and tells who asks", async () => {
  const { components, stop, log, clock } = setUp([taken, taken, undefined]);
  const troubles: unknown[] = [];
  const onTrouble = (error: unknown) => troubles.push(error);
  const opened = openTunnel(components, { ...wish, onTrouble }, stop.signal);
  assert.equal(await clock.asleep(), 100);
  await clock.advance(100);
  assert.equal(await clock.asleep(), 200);
  await clock.advance(200);
  await opened;
  assert.deepEqual(log, ["dial", "connect", "forward 80", "forward 80", "forward 80", "forward 443"]);
  assert.deepEqual(troubles, [taken, taken]);
});

test("openTunnel() gives up on a port that is held for good, and closes the connection", async () => {
  const { components, stop, log, clock } = setUp(Array.from({ length: 99 }, () => taken));
  const began = clock.monotonic();
  await assert.rejects(finished(clock, openTunnel(components, wish, stop.signal)), taken);
  const tookMs = clock.monotonic() - began;
  assert.ok(tookMs >= 20_000 && tookMs <= 21_000, String(tookMs));
  assert.equal(log.at(-1), "close");
});

test("openTunnel() fails at once with what is no held port, and closes the connection", async () => {
  const lost = new LocalizerError("unavailable", "The connection is lost");
  const { components, stop, log } = setUp([undefined, lost]);
  await assert.rejects(openTunnel(components, wish, stop.signal), lost);
  assert.deepEqual(log, ["dial", "connect", "forward 80", "forward 443", "close"]);
});

test("openTunnel() ends with its signal while it waits for a port, and closes the connection", async () => {
  const { components, stop, log, clock } = setUp([taken]);
  const opened = openTunnel(components, wish, stop.signal);
  await clock.asleep();
  stop.abort();
  await assert.rejects(opened, (error) => codeOf(error) === "aborted");
  assert.equal(log.at(-1), "close");
  assert.equal(clock.pending, 0);
});

test("openTunnel() fails as the dial does, and as the login does", async () => {
  const { components, stop, log } = setUp();
  const refused = new LocalizerError("refused", "Nobody listens");
  const dial = () => Promise.reject(refused);
  await assert.rejects(openTunnel({ ...components, dial }, wish, stop.signal), refused);
  const denied = new LocalizerError("denied", "Another host key");
  const connectSsh = () => Promise.reject(denied);
  await assert.rejects(openTunnel({ ...components, connectSsh }, wish, stop.signal), denied);
  assert.deepEqual(log, ["dial"]);
});

test("openTunnel() lives through a transport that breaks before SSH has taken it over", async () => {
  const { components, stop, transport } = setUp();
  const connectSsh = async () => {
    transport.destroy(new Error("broken"));
    await new Promise((resolve) => transport.once("close", resolve));
    throw new LocalizerError("unavailable", "The connection broke");
  };
  await assert.rejects(openTunnel({ ...components, connectSsh }, wish, stop.signal), { code: "unavailable" });
});
