import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { tcpPair } from "../../test/support/tcp-pair.ts";
import { systemClock } from "../clock.ts";
import { type TcpLines, tcpLines } from "./tcp-lines.ts";
import { isResetIn, localEnds, peerEndIn } from "./tcp-table.ts";

const isLinux = process.platform === "linux";
const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const socket = { localAddress: "127.1.2.3", localPort: 80, remoteAddress: "127.0.0.1", remotePort: 40_000 };
/** On a little-endian machine. */
const [here, there] = ["0302017F:0050", "0100007F:9C40"];

function line(local: string, remote: string, state: string, inode: string): string {
  return `   3: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0 20 4 30 10 -1\n`;
}

function table(...lines: string[]): Buffer {
  return Buffer.from(head + lines.join(""));
}

const own = line(here, there, "08", "77");

/** What a look would find there for the socket. */
function linesOf(...lines: string[]): TcpLines {
  return tcpLines(table(...lines), new Set([40_000]));
}

test("peerEndIn() takes a socket that a process still holds for half-closed", () => {
  for (const state of ["04", "05"]) {
    assert.equal(peerEndIn([linesOf(line(there, here, state, "91"), own)], socket), "half-closed");
  }
});

test("peerEndIn() takes one without an inode, or in another state, for closed", () => {
  assert.equal(peerEndIn([linesOf(own, line(there, here, "05", "0"))], socket), "closed");
  assert.equal(peerEndIn([linesOf(own, line(there, here, "06", "0"))], socket), "closed");
  assert.equal(peerEndIn([linesOf(own, line(there, here, "07", "91"))], socket), "closed");
});

test("peerEndIn() finds a peer that speaks IPv4 through an IPv6 socket", () => {
  const mapped = "0000000000000000FFFF0000";
  const second = linesOf(line(mapped + there, mapped + here, "05", "91"));
  assert.equal(peerEndIn([linesOf(own), second], socket), "half-closed");
  assert.equal(peerEndIn([linesOf(own), second], { ...socket, remoteAddress: "::ffff:127.0.0.1" }), "half-closed");
});

test("peerEndIn() does not know a socket of another network namespace, and no IPv6", () => {
  assert.equal(peerEndIn([linesOf(line(there, "0100007F:0016", "05", "91"))], socket), "unknown");
  assert.equal(peerEndIn([linesOf(own)], { ...socket, remoteAddress: "::1" }), "unknown");
  assert.equal(peerEndIn([linesOf(own)], { ...socket, localAddress: undefined as never }), "unknown");
});

test("peerEndIn() finds no peer that has left without a trace", () => {
  assert.equal(peerEndIn([linesOf(own), linesOf()], socket), undefined);
});

test("localEnds() tells a close from a half-close of a real connection", { skip: !isLinux }, async () => {
  const { peerEnd } = localEnds({ clock: systemClock });
  await using closed = await tcpPair();
  closed.app.destroy();
  await once(closed.local.resume(), "end");
  assert.equal(await peerEnd(closed.local), "closed");
  await using half = await tcpPair();
  half.app.end();
  await once(half.local.resume(), "end");
  assert.equal(await peerEnd(half.local), "half-closed");
  half.app.destroy();
  await once(half.app, "close");
  assert.equal(await peerEnd(half.local), "closed");
});

test("localEnds() finds a real peer behind an IPv6 socket", { skip: !isLinux }, async () => {
  const { createServer } = await import("node:net");
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const at = server.address();
  assert.ok(at !== null && typeof at === "object");
  const app = connect({ host: "::ffff:127.0.0.1", port: at.port, allowHalfOpen: true });
  const [local] = await once(server, "connection");
  app.end();
  await once(local.resume(), "end");
  assert.equal(await localEnds({ clock: systemClock }).peerEnd(local), "half-closed");
  app.destroy();
  local.destroy();
  server.close();
});

test("localEnds() reads once for all who ask together, and rests 40 times as long as a read takes", async () => {
  const clock = new FakeClock();
  let reads = 0;
  const read = async () => {
    reads++;
    await clock.sleep(6);
    return table(own, line(there, here, "05", "0"));
  };
  // The rest is of no matter to what is asked here.
  const { peerEnd } = localEnds({ clock, platform: "linux", read });
  const ask = () => peerEnd(socket as never);
  const first = [ask(), ask()];
  await clock.asleep();
  await clock.advance(6);
  assert.deepEqual(await Promise.all(first), ["closed", "closed"]);
  assert.equal(reads, 1);
  const second = [ask(), ask()];
  await clock.advance(239);
  assert.equal(reads, 1);
  await clock.advance(1);
  await clock.asleep();
  await clock.advance(6);
  assert.deepEqual(await Promise.all(second), ["closed", "closed"]);
  assert.equal(reads, 2);
});

test("localEnds() has who asks during a read wait for the next", async () => {
  const clock = new FakeClock();
  let end = "half";
  const read = async () => {
    const seen = end;
    await clock.sleep(6);
    return table(own, line(there, here, "05", seen === "half" ? "91" : "0"));
  };
  const { peerEnd } = localEnds({ clock, platform: "linux", read });
  const early = peerEnd(socket as never);
  await clock.asleep();
  end = "closed";
  const late = peerEnd(socket as never);
  await clock.advance(6);
  assert.equal(await early, "half-closed");
  await clock.advance(300);
  assert.equal(await late, "closed");
});

test("localEnds() reads once more, and not once each, for all who ask one after the other during a read", async () => {
  const clock = new FakeClock();
  let reads = 0;
  const read = async () => {
    reads++;
    await clock.sleep(6);
    return table(own, line(there, here, "05", "0"));
  };
  const { peerEnd } = localEnds({ clock, platform: "linux", read });
  const asked = [peerEnd(socket as never)];
  await clock.asleep();
  for (let at = 0; at < 5; at++) {
    asked.push(peerEnd(socket as never));
    await clock.advance(1);
  }
  assert.equal(reads, 1);
  await clock.advance(1);
  await clock.advance(240);
  await clock.asleep();
  await clock.advance(6);
  await Promise.all(asked);
  assert.equal(reads, 2);
});

test("localEnds() knows nothing where the table cannot be read, and on other systems", async () => {
  const read = () => readFile("/nowhere");
  for (const platform of ["linux", "darwin"] as const) {
    const ends = () => localEnds({ clock: new FakeClock(), platform, read });
    assert.equal(await ends().peerEnd(socket as never), "unknown");
    assert.equal(await ends().isReset(socket as never), false);
  }
});

test("isResetIn() takes a socket for reset that stands there no more, though its listener does", () => {
  const ports = new Set([40_000, 80]);
  const listener = line(here, "00000000:0000", "0A", "70");
  const found = (...lines: string[]) => isResetIn(tcpLines(table(...lines), ports), socket);
  assert.equal(found(listener), true);
  assert.equal(found(listener, line(there, "0100007F:0050", "05", "0")), true);
  assert.equal(found(listener, own), false);
  assert.equal(found(), false, "perhaps it is another network namespace");
  assert.equal(isResetIn(tcpLines(table(listener), ports), { ...socket, remoteAddress: "::1" }), false);
});

test("localEnds() notices a reset behind a paused socket, and takes neither a living peer nor a close for one", {
  skip: !isLinux,
}, async () => {
  for (const how of ["lives", "closes", "breaks off"] as const) {
    const { isReset } = localEnds({ clock: systemClock });
    await using pair = await tcpPair();
    pair.app.write("unread");
    assert.equal(await isReset(pair.local), false);
    if (how === "closes") pair.app.destroy();
    if (how === "breaks off") pair.app.resetAndDestroy();
    if (how !== "lives") await once(pair.app, "close");
    assert.equal(await isReset(pair.local), how === "breaks off", how);
  }
});
