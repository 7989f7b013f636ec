import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { systemClock } from "../clock.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import type { ListenAddress } from "./listen.ts";
import { holderSentence, portHolders } from "./port-holder.ts";

function at(number: number, address = "127.77.0.5"): ListenAddress {
  assert.ok(isLoopbackAddress(address));
  return { address, port: port(number) };
}

/** A /proc with the table's lines and processes, each with its command line and the inode of its one socket. */
async function fakeProc(sockets: readonly string[], processes: Readonly<Record<string, readonly [string, number]>>) {
  const folder = temporaryFolder();
  const path = (...parts: readonly string[]) => join(folder.path, ...parts);
  await mkdir(path("net"));
  await writeFile(path("net", "tcp"), sockets.join("\n"));
  for (const [pid, [command, inode]] of Object.entries(processes)) {
    await mkdir(path(pid, "fd"), { recursive: true });
    await writeFile(path(pid, "cmdline"), command);
    await symlink("/dev/null", path(pid, "fd", "0"));
    await symlink(`socket:[${inode}]`, path(pid, "fd", "3"));
  }
  return { proc: folder.path, path, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

const socketLine = (address: string, inode: number, uid = 1001) =>
  `0: ${address} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 ${uid} 0 ${inode} 1 0 100 0 0 10 0`;
const everywhere = socketLine("00000000:1F90", 4711);

test("holderSentence() says who it is, and only of a wildcard listener what makes room", () => {
  const socket = { address: "0.0.0.0", port: 8080, uid: 1001, inode: "1" };
  const program = { pid: "4711", name: "node server.js", kind: "other" } as const;
  const sentences = [
    holderSentence(socket, program, at(8080)),
    holderSentence({ ...socket, address: "::" }, undefined, at(8080)),
    holderSentence({ ...socket, address: "127.77.0.5" }, program, at(8080)),
    holderSentence({ ...socket, address: "127.77.0.5" }, undefined, at(8080)),
    holderSentence({ ...socket, address: "127.77.0.5" }, { ...program, kind: "this" }, at(8080)),
    holderSentence({ ...socket, address: "127.77.0.5" }, { ...program, kind: "localizer" }, at(8080)),
  ];
  assert.deepEqual(sentences, [
    'taken by "node server.js" (process 4711), which listens on 0.0.0.0:8080: bind it to 127.0.0.1 to have both',
    "taken by a program of user 1001, which listens on [::]:8080: bind it to 127.0.0.1 to have both",
    'taken by "node server.js" (process 4711)',
    "taken by a program of user 1001",
    "taken by this localizer",
    "taken by another localizer (process 4711)",
  ]);
});

test("portHolders() finds this very process, on its own address and everywhere", {
  skip: process.platform !== "linux",
}, async () => {
  for (const [host, found] of [
    ["127.0.0.1", "127.0.0.1"],
    ["0.0.0.0", "127.77.0.5"],
    ["::ffff:127.0.0.1", "127.0.0.1"],
  ] as const) {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    // Its time to look stands still: a slow machine has many processes, and needs longer than a user would wait.
    const sentence = (await portHolders({ clock: new FakeClock() })(at(address.port, found))) ?? "";
    server.close();
    assert.ok(sentence.startsWith("taken by this localizer"), sentence);
    assert.equal(sentence.includes("bind it to 127.0.0.1"), host === "0.0.0.0");
  }
});

test("portHolders() knows nothing of a free port, of an unreadable table and of other systems", async () => {
  const clock = new FakeClock();
  using made = await fakeProc([everywhere], {});
  assert.equal(await portHolders({ clock, platform: "linux", proc: made.proc })(at(8081)), undefined);
  assert.equal(await portHolders({ clock, platform: "linux", proc: made.path("none") })(at(8080)), undefined);
  assert.equal(await portHolders({ clock, platform: "darwin", proc: made.proc })(at(8080)), undefined);
});

test("portHolders() names the oldest process that has the socket, and the user when none can be seen", async () => {
  const clock = new FakeClock();
  const sockets = [everywhere, socketLine("05004D7F:0050", 99, 0)];
  using made = await fakeProc(sockets, {
    "900": ["/usr/bin/python3\0-m\0http.server\0", 4711],
    "1000": ["/usr/bin/python3\0worker\0", 4711],
  });
  const whoHolds = portHolders({ clock, platform: "linux", proc: made.proc });
  const [first, second] = await Promise.all([whoHolds(at(8080)), whoHolds(at(80))]);
  assert.match(first ?? "", /^taken by "python3 http\.server" \(process 900\), which listens on 0\.0\.0\.0:8080/);
  assert.equal(second, "taken by a program of user 0");
});

test("portHolders() tells another localizer from other programs", async () => {
  const clock = new FakeClock();
  using made = await fakeProc([everywhere], {
    "900": ["/usr/bin/node\0/opt/localizer/dist/bin/localizer.js\0run\0", 4711],
  });
  const sentence = await portHolders({ clock, platform: "linux", proc: made.proc })(at(8080));
  assert.match(sentence ?? "", /^taken by another localizer \(process 900\), which listens on/);
});

test("portHolders() shows a program's name without what could mislead a terminal", async () => {
  const clock = new FakeClock();
  using made = await fakeProc([everywhere], { "900": [`bad\u001b[2J"\n\u202e${"x".repeat(100)}\0`, 4711] });
  const sentence = (await portHolders({ clock, platform: "linux", proc: made.proc })(at(8080))) ?? "";
  assert.ok(sentence.startsWith(`taken by "bad[2J${"x".repeat(54)}" (process 900)`), sentence);
});

test("portHolders() looks no more than once in 3 s for what it has seen, in 0.5 s for what it has not", async () => {
  const clock = new FakeClock();
  using made = await fakeProc([everywhere], { "900": ["node\0", 4711] });
  const whoHolds = portHolders({ clock, platform: "linux", proc: made.proc });
  const before = await whoHolds(at(8080));
  await writeFile(made.path("net", "tcp"), "");
  assert.deepEqual([await whoHolds(at(8080)), await whoHolds(at(8080, "127.77.0.6"))], [before, before]);
  await clock.advance(3_000);
  assert.equal(await whoHolds(at(8080)), undefined);
  await writeFile(made.path("net", "tcp"), everywhere);
  assert.equal(await whoHolds(at(8080)), undefined);
  await clock.advance(500);
  assert.equal(await whoHolds(at(8080)), before);
});

test("portHolders() gives up after 1 s of looking and says the user", async () => {
  let now = 0;
  const clock = { ...systemClock, monotonic: () => (now += 600) };
  using made = await fakeProc([everywhere], { "900": ["sh\0", 1], "901": ["node\0", 4711] });
  const sentence = await portHolders({ clock, platform: "linux", proc: made.proc })(at(8080));
  assert.match(sentence ?? "", /^taken by a program of user 1001/);
});
