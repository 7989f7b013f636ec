import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, Server } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { channelPair } from "../../test/support/channel-pair.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { withBlock } from "../hostsfile/block.ts";
import { hostName } from "../model/host-name.ts";
import { addressAt, parseLoopbackRange } from "../model/loopback.ts";
import type { Channel } from "./channel.ts";
import { helperConfig } from "./config.ts";
import { processIdentity } from "./process-identity.ts";
import { clientHello } from "./protocol.ts";
import { serveHelper } from "./root.ts";

const range = "127.90.0.0/16";
const original = "127.0.0.1 localhost";
const cart = { address: "127.90.0.1", names: ["cart.shop"] };

test("serveHelper() greets with its pid and user", async () => {
  await using world = startHelper();
  const { answer } = await world.ask(clientHello());
  assert.deepEqual(answer, { ...clientHello(), pid: process.pid, uid: process.geteuid?.() });
});

test("serveHelper() sends a bound listener and closes its own side in the same tick", async () => {
  await using world = startHelper();
  await world.ask(clientHello());
  const { answer, handle } = await world.ask({ type: "bind", id: 1, address: "127.90.0.1", port: 18_080 });
  assert.deepEqual(answer, { type: "bound", id: 1 });
  assert.ok(handle instanceof Server);
  // Within one process there is nobody else to hold it open.
  assert.equal(handle.listening, false);
});

test("serveHelper() answers a failed bind with the system's errno", async () => {
  await using world = startHelper();
  const server = createServer().listen(18_081, "127.90.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  await world.ask(clientHello());
  const { answer } = await world.ask({ type: "bind", id: 1, address: "127.90.0.1", port: 18_081 });
  server.close();
  assert.equal(Reflect.get(Object(answer), "errno"), "EADDRINUSE");
});

test("serveHelper() refuses an address outside its range and serves on", async () => {
  await using world = startHelper();
  await world.ask(clientHello());
  const denied = await world.ask({ type: "bind", id: 1, address: "127.91.0.1", port: 18_082 });
  assert.equal(Reflect.get(Object(denied.answer), "code"), "denied");
  const done = await world.ask({ type: "hosts", id: 2, entries: [cart] });
  assert.deepEqual(done.answer, { type: "done", id: 2 });
});

test("serveHelper() refuses a name with a line of its own and writes nothing", async () => {
  await using world = startHelper();
  await world.ask(clientHello());
  const entries = [cart, { address: "127.90.0.2", names: ["a\n10.0.0.1 bank.example"] }];
  const { answer } = await world.ask({ type: "hosts", id: 1, entries });
  assert.equal(Reflect.get(Object(answer), "code"), "usage");
  assert.equal(readFileSync(world.hosts, "utf8"), original);
});

for (const [what, messages] of [
  ["a request before the hello", [{ type: "end", id: 1 }]],
  ["another protocol version", [{ ...clientHello(), version: 99 }]],
  ["an unknown verb", [clientHello(), { type: "exec", id: 1 }]],
  ["two requests at once", [clientHello(), { type: "runtime-dir", id: 1 }, { type: "runtime-dir", id: 2 }]],
  [
    "a request before the listener was received",
    [clientHello(), { type: "bind", id: 1, address: "127.90.0.1", port: 18_083 }, { type: "end", id: 2 }],
  ],
] as const) {
  test(`serveHelper() ends on ${what}`, async () => {
    await using world = startHelper();
    for (const message of messages) await world.channel.send(message).catch(() => {});
    await world.ended;
    assert.match(world.said.join(), /^Cannot go on with the helper's channel/);
  });
}

test("serveHelper() ends when it is handed a socket", async () => {
  await using world = startHelper();
  const server = createServer();
  await world.channel.send(clientHello(), server);
  await world.ended;
  assert.match(world.said.join(), /a socket towards the helper$/);
});

test("serveHelper() removes block and link when asked to end, and answers after that", async () => {
  await using world = startHelper();
  await world.ask(clientHello());
  await world.ask({ type: "hosts", id: 1, entries: [cart] });
  await world.ask({ type: "link", id: 2, target: join(world.folder, "real.sock") });
  assert.match(readFileSync(world.hosts, "utf8"), /cart\.shop/);
  assert.deepEqual(
    readdirSync(world.state).toSorted(),
    [`helper-${process.pid}.json`, backupName(world.state)].toSorted(),
  );
  const { answer } = await world.ask({ type: "end", id: 3 });
  assert.deepEqual(answer, { type: "done", id: 3 });
  assert.equal(readFileSync(world.hosts, "utf8"), original);
  assert.equal(existsSync(world.link), false);
  await world.ended;
  assert.deepEqual(readdirSync(world.state), [backupName(world.state)]);
  assert.equal(readFileSync(join(world.state, backupName(world.state)), "utf8"), original);
});

test("serveHelper() removes block and link when the channel closes", async () => {
  await using world = startHelper();
  await world.ask(clientHello());
  await world.ask({ type: "hosts", id: 1, entries: [cart] });
  await world.ask({ type: "link", id: 2, target: join(world.folder, "real.sock") });
  world.channel.close();
  await world.ended;
  assert.equal(readFileSync(world.hosts, "utf8"), original);
  assert.equal(readdirSync(world.folder).includes("public.sock"), false);
});

test("serveHelper() removes the blocks of dead owners before anything else", async () => {
  const dead = { pid: 4_194_305, startTime: "1", bootId: "gone" };
  const entries = [{ address: addressAt(parseLoopbackRange(range), 1), names: [hostName("old.shop")] }];
  const block = withBlock(Buffer.from(original), { ...dead, instance: "killed" }, entries);
  await using world = startHelper(block);
  await world.ask(clientHello());
  assert.equal(readFileSync(world.hosts, "utf8"), original);
});

test("serveHelper() leaves the block of a living helper of the same socket and says conflict", async () => {
  await using first = startHelper();
  await first.ask(clientHello());
  await first.ask({ type: "hosts", id: 1, entries: [cart] });
  // The same file, rewritten as if by process 1, which lives as long as the machine.
  const init = await processIdentity(1);
  assert.ok(init);
  const mine = readFileSync(first.hosts, "utf8");
  const theirs = mine.replace(
    /pid \d+, started \w+, boot [\w-]+/,
    `pid 1, started ${init.startTime}, boot ${init.bootId}`,
  );
  writeFileSync(first.hosts, theirs);
  const { answer } = await first.ask({ type: "hosts", id: 2, entries: [] });
  assert.equal(Reflect.get(Object(answer), "code"), "conflict");
  await first.ask({ type: "end", id: 3 });
  assert.equal(readFileSync(first.hosts, "utf8"), theirs);
});

interface World extends AsyncDisposable {
  readonly channel: Channel;
  readonly folder: string;
  readonly hosts: string;
  readonly link: string;
  readonly state: string;
  readonly said: string[];
  readonly ended: Promise<void>;
  /** Sends and waits for the next message. */
  ask(message: object): Promise<{ answer: unknown; handle: unknown }>;
}

function startHelper(hostsBytes: Buffer | string = original): World {
  const folder = temporaryFolder();
  const hosts = join(folder.path, "hosts");
  const link = join(folder.path, "public.sock");
  const state = join(folder.path, "state");
  writeFileSync(hosts, hostsBytes);
  const [channel, far] = channelPair();
  const user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const said: string[] = [];
  const given = { hostsFile: hosts, socketLink: link, stateDir: state, range };
  const config = { ...helperConfig(given, user), runtimeBase: folder.path };
  const ended = serveHelper(far, config, (sentence) => said.push(sentence));
  const answers: { answer: unknown; handle: unknown }[] = [];
  let next = Promise.withResolvers<void>();
  channel.onMessage((answer, handle) => {
    answers.push({ answer, handle });
    next.resolve();
  });
  return {
    channel,
    folder: folder.path,
    hosts,
    link,
    state,
    said,
    ended,
    async ask(message) {
      await channel.send(message);
      await next.promise;
      next = Promise.withResolvers();
      const received = answers.shift();
      assert.ok(received);
      return received;
    },
    async [Symbol.asyncDispose]() {
      channel.close();
      await ended;
      folder[Symbol.dispose]();
    },
  };
}

function backupName(state: string): string {
  return readdirSync(state).find((name) => name.endsWith(".backup")) ?? "no backup";
}
