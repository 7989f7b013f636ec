import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import fc from "fast-check";
import { tcpPair } from "../../test/support/tcp-pair.ts";
import { tcpLines } from "./tcp-lines.ts";

const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";

interface Sample {
  readonly local: number;
  readonly remote: number;
  readonly state: string;
  readonly inode: number;
}

const hex = (value: number, digits: number) => value.toString(16).toUpperCase().padStart(digits, "0");
const address = (port: number, prefix = "") => `${prefix}0100007F:${hex(port, 4)}`;

function table(samples: readonly Sample[], { width = 149, prefix = "", isEnded = true } = {}): Buffer {
  const lines = samples.map(({ local, remote, state, inode }, index) => {
    const ends = `${address(local, prefix)} ${address(remote, prefix)}`;
    const line = `${String(index).padStart(4)}: ${ends} ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0 20 4 30`;
    return line.padEnd(width);
  });
  return Buffer.from([head.padEnd(width), ...lines].join("\n") + (isEnded ? "\n" : ""));
}

const sample = fc.record({
  local: fc.integer({ min: 0, max: 65_535 }),
  remote: fc.integer({ min: 0, max: 65_535 }),
  state: fc.constantFrom("01", "04", "05", "06", "08"),
  inode: fc.nat(),
});

test("tcpLines() finds exactly the lines with one of the ports at an end, however wide they are", () => {
  const layout = fc.record({ width: fc.constantFrom(0, 100, 149), isEnded: fc.boolean() });
  fc.assert(
    fc.property(fc.array(sample), fc.array(fc.integer({ min: 0, max: 65_535 })), layout, (samples, more, how) => {
      const ports = new Set([...more, ...samples.slice(0, 2).map(({ remote }) => remote)]);
      const wanted = samples.filter(({ local, remote }) => ports.has(local) || ports.has(remote));
      const expected = new Map(
        wanted.map(({ local, remote, state, inode }) => [
          `${address(local)} ${address(remote)}`,
          { state, inode: String(inode) },
        ]),
      );
      assert.deepEqual(tcpLines(table(samples, how), ports), expected);
    }),
  );
});

test("tcpLines() writes IPv4 in IPv6 as IPv4, and leaves other IPv6 out", () => {
  const one = [{ local: 80, remote: 9, state: "05", inode: 7 }];
  const ports = new Set([80]);
  const found = tcpLines(table(one, { prefix: "0000000000000000FFFF0000" }), ports);
  assert.deepEqual([...found], [[`${address(80)} ${address(9)}`, { state: "05", inode: "7" }]]);
  assert.equal(tcpLines(table(one, { prefix: "B80D01200000000000000000" }), ports).size, 0);
});

test("tcpLines() finds nothing in what is no table", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      tcpLines(Buffer.from(text), new Set([80]));
    }),
  );
  assert.equal(tcpLines(Buffer.alloc(0), new Set([0])).size, 0);
});

test("tcpLines() finds a real connection", { skip: process.platform !== "linux" }, async () => {
  await using pair = await tcpPair();
  pair.app.end();
  await once(pair.local.resume(), "end");
  const { localPort = 0, remotePort = 0 } = pair.local;
  const lines = tcpLines(await readFile("/proc/self/net/tcp"), new Set([remotePort]));
  const [here, there] = [address(localPort), address(remotePort)];
  assert.equal(lines.get(`${here} ${there}`)?.state, "08");
  assert.match(lines.get(`${there} ${here}`)?.state ?? "", /^0[45]$/);
});
