// A user's part that was taken over speaks to a helper that is really root: what can it get? Needs Linux and root.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { clientHello } from "../../src/helper/protocol.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { startRawHelper } from "./raw-helper.ts";

const skip = process.platform === "linux" && process.geteuid?.() === 0 ? false : "needs Linux and root";
const original = "127.0.0.1 localhost\n";
const nobody = 65_534;
const ok = { address: "127.75.0.1", names: ["cart.shop"] };

for (const [what, request, code] of [
  ["a line of its own in a name", { type: "hosts", id: 1, entries: [{ ...ok, names: ["a\n10.0.0.1 bank"] }] }, "usage"],
  ["an address of another machine", { type: "hosts", id: 1, entries: [{ ...ok, address: "10.0.0.1" }] }, "denied"],
  ["an address outside the range", { type: "bind", id: 1, address: "127.0.0.1", port: 80 }, "denied"],
  ["all addresses", { type: "bind", id: 1, address: "0.0.0.0", port: 80 }, "usage"],
  ["the name localhost", { type: "hosts", id: 1, entries: [{ ...ok, names: ["localhost"] }] }, "denied"],
  ["a name below localhost", { type: "hosts", id: 1, entries: [{ ...ok, names: ["a.localhost"] }] }, "denied"],
  ["port 0", { type: "bind", id: 1, address: "127.75.0.1", port: 0 }, "usage"],
  ["a link to a file of root's", { type: "link", id: 1, target: "/root/.ssh/authorized_keys" }, "denied"],
  ["a link with a line break", { type: "link", id: 1, target: "/tmp/a\nb" }, "usage"],
] as const) {
  test(`the helper refuses ${what}, and lives on`, { skip }, async () => {
    await using helper = await startHelper();
    const answer = Object(await helper.ask(request));
    assert.deepEqual([answer.type, answer.code], ["failed", code]);
    assert.equal(readFileSync(helper.hosts, "utf8"), original);
    assert.deepEqual(await helper.ask({ type: "hosts", id: 2, entries: [ok] }), { type: "done", id: 2 });
  });
}

for (const [what, message] of [
  ["another file", { type: "hosts", id: 1, file: "/etc/passwd", entries: [ok] }],
  ["an unknown verb", { type: "exec", id: 1, command: "id" }],
  ["too many lines", { type: "hosts", id: 1, entries: Array.from({ length: 50_001 }, () => ok) }],
  [
    "too many bytes",
    { type: "hosts", id: 1, entries: Array.from({ length: 9_000 }, () => ({ ...ok, names: ["a".repeat(1_000)] })) },
  ],
  ["no object", "end"],
] as const) {
  test(`the helper ends on ${what}, and takes back what it made`, { skip }, async () => {
    await using helper = await startHelper();
    await helper.ask({ type: "hosts", id: 1, entries: [ok] });
    assert.match(readFileSync(helper.hosts, "utf8"), /cart\.shop/);
    assert.equal(Object(await helper.ask(message)).type, "refused");
    assert.equal(await helper.end, 0);
    assert.equal(readFileSync(helper.hosts, "utf8"), original);
  });
}

test("the helper ends when it is handed a socket", { skip }, async () => {
  await using helper = await startHelper();
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  helper.child.send({ type: "end", id: 1 }, server);
  assert.equal(await helper.end, 0);
  server.close();
});

for (const [what, bytes] of [
  ["a line that is no JSON", "not json\n"],
  ["an acknowledgement of nothing", '{"cmd":"NODE_HANDLE_ACK"}\n'],
  ["many such lines", 'not json\n{"cmd":"NODE_HANDLE_ACK"}\n'.repeat(100)],
] as const) {
  test(`the helper ends on ${what}, raw on its channel, and takes back what it made`, { skip }, async () => {
    await using helper = await startRawHelper("127.75.0.0/16");
    await helper.ask({ type: "hosts", id: 1, entries: [ok] });
    assert.match(readFileSync(helper.hosts, "utf8"), /cart\.shop/);
    helper.channel.write(bytes);
    assert.equal(await helper.end, 1);
    assert.equal(readFileSync(helper.hosts, "utf8"), original);
    assert.match(helper.stderr(), /^localizer helper: Cannot go on/);
  });
}

test("the helper takes back what it made when a line never ends", { skip }, async () => {
  await using helper = await startRawHelper("127.75.0.0/16");
  await helper.ask({ type: "hosts", id: 1, entries: [ok] });
  let isEnded = false;
  const ended = helper.end.finally(() => {
    isEnded = true;
  });
  const chunk = Buffer.alloc(1024 * 1024, "a");
  // The longest string of V8 has 512 MiB.
  for (let mib = 0; mib < 700 && !isEnded; mib++) {
    const drained = new Promise((resolve) => helper.channel.once("drain", resolve));
    if (!helper.channel.write(chunk)) await Promise.race([drained, ended]);
  }
  assert.equal(await helper.end, 1);
  assert.equal(readFileSync(helper.hosts, "utf8"), original);
});

test("the helper refuses a hosts file, a state folder and a link in a folder that a user can change", {
  skip,
}, async () => {
  using folder = temporaryFolder();
  const place = (name: string) => join(folder.path, name);
  writeFileSync(place("hosts"), original);
  chownSync(folder.path, nobody, nobody);
  const places = { "--hosts-file": place("hosts"), "--state-dir": place("state"), "--socket-link": place("link") };
  await using helper = await startHelper(places);
  const target = place("real.sock");
  assert.equal(Object(await helper.ask({ type: "hosts", id: 1, entries: [ok] })).code, "denied");
  assert.equal(Object(await helper.ask({ type: "link", id: 2, target })).code, "denied");
  assert.deepEqual(readdirSync(folder.path), ["hosts"]);
  assert.equal(readFileSync(place("hosts"), "utf8"), original);
});

interface RawHelper extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly hosts: string;
  readonly end: Promise<unknown>;
  ask(message: object | string): Promise<unknown>;
}

async function startHelper(changed: Readonly<Record<string, string>> = {}): Promise<RawHelper> {
  const folder = temporaryFolder();
  const hosts = join(folder.path, "hosts");
  writeFileSync(hosts, original);
  const places = {
    "--hosts-file": hosts,
    "--socket-link": join(folder.path, "link"),
    "--state-dir": join(folder.path, "state"),
    "--range": "127.75.0.0/16",
    ...changed,
  };
  const program = join(import.meta.dirname, "../../src/helper/main.ts");
  const args = Object.entries(places).map(([flag, value]) => `${flag}=${value}`);
  const { SUDO_UID: _, ...env } = process.env;
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ipc", "ignore", "ignore"], env });
  const end = once(child, "exit").then(([code]) => code);
  const ask = async (message: object | string) => {
    const answer = once(child, "message");
    child.send(message);
    return (await answer)[0];
  };
  await ask(clientHello());
  return {
    child,
    hosts,
    end,
    ask,
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await end;
      folder[Symbol.dispose]();
    },
  };
}
