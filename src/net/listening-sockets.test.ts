import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { type ListeningSocket, listeningSockets, socketInTheWay } from "./listening-sockets.ts";

// Taken from a little-endian machine; the byte order is the machine's own.
const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0500 4D7F:1F90 broken
   2: 05004D7F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 100 0 0 10 0
   3: 0100007F:A1B2 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 4713 1 0000000000000000 20 4 30 10 -1
`;
const tcp6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0BB8 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 5001 1 0000000000000000 100 0 0 10 0
   1: 0000000000000000FFFF000005004D7F:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 5002 1 0000000000000000 100 0 0 10 0
   2: 00000000000000000000000001000000:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 5003 1 0000000000000000 100 0 0 10 0
`;

function at(number: number) {
  const address = "127.77.0.5";
  assert.ok(isLoopbackAddress(address));
  return { address, port: port(number) };
}

test("listeningSockets() reads the sockets that listen, with user and inode", () => {
  assert.deepEqual(listeningSockets(tcp), [
    { address: "0.0.0.0", port: 8080, uid: 1001, inode: "4711" },
    { address: "127.77.0.5", port: 80, uid: 0, inode: "4712" },
  ]);
});

test("listeningSockets() reads from the IPv6 table what takes IPv4 too, and ::1, which stands in the way of no IPv4 address", () => {
  assert.deepEqual(listeningSockets(tcp6), [
    { address: "::", port: 3000, uid: 1000, inode: "5001" },
    { address: "127.77.0.5", port: 8081, uid: 1000, inode: "5002" },
    { address: "::1", port: 8082, uid: 1000, inode: "5003" },
  ]);
  assert.equal(socketInTheWay(listeningSockets(tcp6), at(8082)), undefined);
});

test("listeningSockets() takes any text without throwing", () => {
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(listeningSockets(text))));
  assert.deepEqual(listeningSockets(""), []);
});

test("socketInTheWay() prefers the same address, then 0.0.0.0, then ::", () => {
  const socket = (address: string): ListeningSocket => ({ address, port: 80, uid: 0, inode: address });
  const all = ["::", "0.0.0.0", "127.77.0.5", "127.0.0.1"].map(socket);
  assert.equal(socketInTheWay(all, at(80))?.inode, "127.77.0.5");
  assert.equal(
    socketInTheWay(
      all.filter(({ address }) => address !== "127.77.0.5"),
      at(80),
    )?.inode,
    "0.0.0.0",
  );
  assert.equal(socketInTheWay([socket("::"), socket("127.0.0.1")], at(80))?.inode, "::");
  assert.equal(socketInTheWay([socket("127.0.0.1")], at(80)), undefined);
  assert.equal(socketInTheWay(all, at(81)), undefined);
});
