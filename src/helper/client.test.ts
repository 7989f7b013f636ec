import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { channelPair } from "../../test/support/channel-pair.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import type { Clock } from "../clock.ts";
import { addressAt, parseLoopbackRange } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import type { ListenAddress } from "../net/listen.ts";
import type { Channel } from "./channel.ts";
import { connectHelper } from "./connect-helper.ts";
import type { Helper } from "./helper-role.ts";
import { helperHello } from "./protocol.ts";

const at: ListenAddress = { address: addressAt(parseLoopbackRange("127.90.0.0/16"), 2), port: port(18_090) };
const ignore = () => {};

test("connectHelper() knows who the helper is", async () => {
  const { helper } = await connect();
  assert.deepEqual(helper.identity, { pid: 7, uid: 0 });
});

test("connectHelper() throws unavailable when the channel closes first, and what a refusal said", async () => {
  const [near, far] = channelPair();
  const connecting = connectHelper(near);
  far.close();
  await assert.rejects(connecting, { code: "unavailable" });
  const [near2, far2] = channelPair();
  const refused = connectHelper(near2);
  await far2.send({ type: "refused", message: "Too old" });
  await assert.rejects(refused, { code: "internal", message: "Too old" });
});

test("connectHelper() stops waiting when the signal fires", async () => {
  const [near] = channelPair();
  const controller = new AbortController();
  const connecting = connectHelper(near, { signal: controller.signal });
  controller.abort();
  await assert.rejects(connecting, { code: "aborted" });
});

test("Helper.listen adopts the listener in the tick of its arrival and says so", async () => {
  const { helper, far } = await connect();
  const server = await listening();
  const listener = helper.listen(at, ignore);
  await far.next({ type: "bind", id: 1, ...at });
  await far.send({ type: "bound", id: 1 }, server);
  await far.next({ type: "received", id: 1 });
  assert.equal(server.listenerCount("connection"), 1);
  assert.deepEqual((await listener).at, at);
  await (await listener)[Symbol.asyncDispose]();
});

test("Helper.listen gives the errors of listenHere", async () => {
  const { helper, far } = await connect();
  for (const [id, errno, code] of [
    [1, "EADDRINUSE", "conflict"],
    [2, "EACCES", "denied"],
    [3, "EADDRNOTAVAIL", "unavailable"],
  ]) {
    const listener = helper.listen(at, ignore);
    await far.next({ type: "bind", id, ...at });
    await far.send({ type: "failed", id, code: "internal", message: "listen", errno });
    await assert.rejects(listener, { code, message: new RegExp(`^Cannot listen on ${at.address}:${at.port}: `) });
  }
  assert.equal(helper.gone.aborted, false);
});

test("Helper.listen closes a listener that nobody wants any more", async () => {
  const { helper, far } = await connect();
  const server = await listening();
  const controller = new AbortController();
  const listener = helper.listen(at, ignore, controller.signal);
  await far.next({ type: "bind", id: 1, ...at });
  controller.abort();
  await far.send({ type: "bound", id: 1 }, server);
  await assert.rejects(listener, { code: "aborted" });
  assert.equal(server.listening, false);
});

test("Helper sends the next request only after the answer, and none that was given up meanwhile", async () => {
  const { helper, far } = await connect();
  const controller = new AbortController();
  const first = helper.writeHosts([]);
  const second = helper.listen(at, ignore, controller.signal);
  const third = helper.linkSocket("/run/x.sock");
  await far.next({ type: "hosts", id: 1, entries: [] });
  controller.abort();
  await far.send({ type: "done", id: 1 });
  await first;
  await assert.rejects(second, { code: "aborted" });
  await far.next({ type: "link", id: 2, target: "/run/x.sock" });
  await far.send({ type: "failed", id: 2, code: "conflict", message: "Taken by somebody" });
  await assert.rejects(third, { code: "conflict", message: "Taken by somebody" });
});

for (const [what, answer] of [
  ["an unknown answer", { type: "surprise", id: 1 }],
  ["an answer to another request", { type: "done", id: 2 }],
  ["bound without a listener", { type: "bound", id: 1 }],
] as const) {
  test(`Helper.gone fires on ${what}`, async () => {
    const { helper, far } = await connect();
    const listener = helper.listen(at, ignore);
    await far.next({ type: "bind", id: 1, ...at });
    await far.send(answer);
    await assert.rejects(listener, { code: "internal" });
    assert.equal(helper.gone.aborted, true);
    await assert.rejects(helper.writeHosts([]), { code: "internal" });
  });
}

test("Helper.release asks for it, and Helper.removed is what the hello said", async () => {
  const { helper, far } = await connect({}, ['the link "/l"']);
  assert.deepEqual(helper.removed, ['the link "/l"']);
  const released = helper.release(at.address);
  await far.next({ type: "release", id: 1, address: at.address });
  await far.send({ type: "done", id: 1 });
  await released;
});

test("Helper.gone fires when the helper ends, and what waits fails", async () => {
  const { helper, far } = await connect();
  const waiting = helper.writeHosts([]);
  await far.next({ type: "hosts", id: 1, entries: [] });
  far.close();
  await assert.rejects(waiting, { code: "unavailable", message: /it ended$/ });
  assert.equal(helper.gone.aborted, true);
});

test("Helper.gone fires when a request gets no answer in 30 s", async () => {
  const clock = handClock();
  const { helper, far } = await connect({ clock });
  const waiting = helper.writeHosts([]);
  await far.next({ type: "hosts", id: 1, entries: [] });
  clock.fire(30_000);
  await assert.rejects(waiting, { code: "unavailable", message: /no answer in 30000 ms$/ });
  assert.equal(helper.gone.aborted, true);
});

test("Helper dispose asks for the end, waits for what carried the helper, and is not gone", async () => {
  const steps: string[] = [];
  const { helper, far } = await connect({ settled: async () => void steps.push("settled") });
  const ended = helper[Symbol.asyncDispose]().then(() => steps.push("disposed"));
  await far.next({ type: "end", id: 1 });
  await far.send({ type: "done", id: 1 });
  far.close();
  await ended;
  await helper[Symbol.asyncDispose]();
  assert.deepEqual(steps, ["settled", "disposed"]);
  assert.equal(helper.gone.aborted, false);
});

test("Helper dispose does not wait for ever", async () => {
  const clock = handClock();
  let isAbandoned = false;
  const abandon = () => {
    isAbandoned = true;
  };
  const { helper, far } = await connect({ clock, abandon });
  const ended = helper[Symbol.asyncDispose]();
  await far.next({ type: "end", id: 1 });
  clock.fire(5_000);
  await ended;
  assert.equal(isAbandoned, true);
});

test("Helper dispose tells whether the helper has said that everything is taken back", async () => {
  for (const isSaid of [true, false]) {
    let untidied = 0;
    const { helper, far } = await connect({ untidied: () => void untidied++ });
    const ended = helper[Symbol.asyncDispose]();
    await far.next({ type: "end", id: 1 });
    if (isSaid) await far.send({ type: "done", id: 1 });
    else far.close();
    await ended;
    assert.deepEqual([helper.tidied, untidied], [isSaid, isSaid ? 0 : 1]);
  }
});

test("Helper.prepareRuntimeDir prefers the session's folder, else asks", async () => {
  using folder = temporaryFolder();
  const { helper } = await connect({ env: { XDG_RUNTIME_DIR: folder.path } });
  const path = await helper.prepareRuntimeDir();
  assert.equal(path, join(folder.path, "localizer"));
  assert.equal(statSync(path).mode & 0o777, 0o700);
  const { helper: other, far } = await connect({ env: { XDG_RUNTIME_DIR: "relative" } });
  const asked = other.prepareRuntimeDir();
  await far.next({ type: "runtime-dir", id: 1 });
  await far.send({ type: "done", id: 1, path });
  assert.equal(await asked, path);
});

/** The far end: sends as a helper, and checks what comes next. */
interface Far extends Pick<Channel, "send" | "close"> {
  next(expected: object): Promise<void>;
}

async function connect(
  options: Parameters<typeof connectHelper>[1] = {},
  removed: readonly string[] = [],
): Promise<{ helper: Helper; far: Far }> {
  const [near, end] = channelPair();
  const messages: unknown[] = [];
  let arrived = Promise.withResolvers<void>();
  end.onMessage((message) => {
    messages.push(message);
    arrived.resolve();
  });
  await end.send(helperHello(7, 0, removed));
  const helper = await connectHelper(near, options);
  const next = async (expected: object) => {
    while (messages.length === 0) {
      arrived = Promise.withResolvers();
      await arrived.promise;
    }
    assert.deepEqual(messages.shift(), expected);
  };
  await next({ type: "hello", protocol: "localizer-helper", version: 1 });
  return { helper, far: { next, send: (message, server) => end.send(message, server), close: () => end.close() } };
}

async function listening(): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function handClock(): Clock & { fire(ms: number): void } {
  const timers = new Set<{ ms: number; run: () => void }>();
  return {
    now: () => 0,
    monotonic: () => 0,
    sleep: () => Promise.reject(new Error("not used")),
    after(ms, run) {
      const timer = { ms, run };
      timers.add(timer);
      return { [Symbol.dispose]: () => void timers.delete(timer) };
    },
    fire(ms) {
      for (const timer of timers) if (timer.ms === ms) timer.run();
    },
  };
}
