import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { deliveryIn, type TcpEnds, tcpDelivery } from "./tcp-delivery.ts";

const ipv4: TcpEnds = {
  ...{ localAddress: "10.77.0.1", localPort: 40_000 },
  ...{ remoteAddress: "10.77.0.2", remotePort: 6443 },
};
/** As a kernel of this machine's byte order writes it. */
const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const hex = (bytes: readonly number[]) => {
  const words = [];
  for (let at = 0; at < bytes.length; at += 4) words.push(bytes.slice(at, at + 4));
  const ordered = words.flatMap((word) => (isLittleEndian ? word.reverse() : word));
  return Buffer.from(ordered).toString("hex").toUpperCase();
};
const here = `${hex([10, 77, 0, 1])}:9C40`;
const there = `${hex([10, 77, 0, 2])}:192B`;
const title = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const line = (ends: string, words: string) =>
  Buffer.from(`${title}   0: ${ends} ${words} 4242 2 0000000000000000 81 4 30 10 -1\n`);

// The words are those of Linux 6.18 in two network namespaces: reading peer, reading peer behind a hole, peer that never reads.
for (const [name, words, delivery] of [
  ["what a reading peer takes", "01 00400988:00000000 01:00000000 00000000     0        0", "acked"],
  ["a connection at rest", "01 00000000:00000000 02:00000A23 00000000     0        0", "acked"],
  ["what is repeated", "01 003F0000:00000000 01:00000030 00000002     0        0", "unacked"],
  ["a window that was closed", "01 00096FB0:00000000 04:00000032 00000000     0        0", "closed-window"],
  [
    "a question about the window without an answer",
    "01 00096FB0:00000000 04:000001B7 00000000     0        1",
    "unacked",
  ],
] as const) {
  test(`deliveryIn() takes ${name} for ${delivery}`, () => {
    assert.equal(deliveryIn(line(`${here} ${there}`, words), ipv4), delivery);
  });
}

test("deliveryIn() knows nothing of a socket that is not in the table, or whose ends are not known", () => {
  const words = "01 003F0000:00000000 01:00000030 00000002     0        0";
  assert.equal(deliveryIn(line(`${there} ${here}`, words), ipv4), "unknown");
  assert.equal(deliveryIn(line(`${here} ${there}`, words), { ...ipv4, localPort: 40_001 }), "unknown");
  assert.equal(deliveryIn(line(`${here} ${there}`, words), {}), "unknown");
});

test("deliveryIn() finds IPv6 sockets, and IPv4 ones in the table of IPv6", () => {
  const words = "01 003F0000:00000000 01:00000030 00000002     0        0";
  const far = [0x20, 0x01, 0x0d, 0xb8, ...Array<number>(11).fill(0), 2];
  const near = [0xfd, 0, ...Array<number>(12).fill(0), 0x12, 0x34];
  const ends = { localAddress: "fd00::1234", localPort: 40_000, remoteAddress: "2001:db8::2", remotePort: 6443 };
  assert.equal(deliveryIn(line(`${hex(near)}:9C40 ${hex(far)}:192B`, words), ends), "unacked");
  const mapped = (last: number) => hex([...Array<number>(10).fill(0), 255, 255, 10, 77, 0, last]);
  const table = line(`${mapped(1)}:9C40 ${mapped(2)}:192B`, words);
  assert.equal(deliveryIn(table, ipv4), "unacked");
  const asIPv6 = { ...ipv4, localAddress: "::ffff:10.77.0.1", remoteAddress: "::ffff:10.77.0.2" };
  assert.equal(deliveryIn(table, asIPv6), "unacked");
});

test("tcpDelivery() reads the table once for all who ask meanwhile, and knows nothing elsewhere or when it cannot", async () => {
  const read: string[] = [];
  const deliveryOf = tcpDelivery({
    platform: "linux",
    read: async (path) => {
      read.push(path);
      return line(`${here} ${there}`, "01 00000000:00000000 00:00000000 00000000     0        0");
    },
  });
  assert.deepEqual(await Promise.all([deliveryOf(ipv4), deliveryOf(ipv4)]), ["acked", "acked"]);
  assert.deepEqual(read, ["/proc/self/net/tcp"]);
  assert.equal(await tcpDelivery({ platform: "darwin" })(ipv4), "unknown");
  const failing = tcpDelivery({ platform: "linux", read: () => Promise.reject(new Error("no /proc")) });
  assert.equal(await failing(ipv4), "unknown");
});

test("tcpDelivery() finds a socket of ours in the real table", { skip: process.platform !== "linux" }, async () => {
  const server = createServer((socket) => void socket.resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const at = server.address();
  assert.ok(at !== null && typeof at === "object");
  const socket = connect(at.port, "127.0.0.1");
  await once(socket, "connect");
  assert.equal(await tcpDelivery()(socket), "acked");
  socket.destroy();
  await once(socket, "close");
  assert.equal(await tcpDelivery()({ ...ipv4, localPort: 1 }), "unknown");
  server.close();
  await once(server, "close");
});
