import assert from "node:assert/strict";
import { test } from "node:test";
import { numberOf, parseListeners, parseStat, parseTcp } from "./proc-format.ts";

test("parseStat() is not led astray by a command's name", () => {
  const text = "42 (a) b (c) S 7 42 42 0 -1 4194304 100 0 0 0 150 25 999 999 20 0 11 0 413150 1000 200\n";
  assert.deepEqual(parseStat(text), { parent: 7, cpuSeconds: 1.75 });
});

test("parseStat() is undefined for what is no stat", () => {
  assert.equal(parseStat(""), undefined);
  assert.equal(parseStat("42 (node) S"), undefined);
});

test("numberOf() finds the whole name only", () => {
  const text = "55d0-7ffd ---p 00000000 00:00 0 [rollup]\nRss:  45612 kB\nPss:  30000 kB\nPss_Dirty:  20000 kB\n";
  assert.deepEqual([numberOf(text, "Pss"), numberOf(text, "Rss"), numberOf(text, "Swap")], [30_000, 45_612, 0]);
});

const tcpText = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0
   1: 010012C6:B2C4 020012C6:192B 01 00000000:00000000 02:000005DC 00000000     0        0 222 2 0 20 4 30 10 -1
`;

test("parseTcp() gives the far ends of the connections that are up", () => {
  assert.deepEqual(parseTcp(tcpText), [{ remote: "198.18.0.2:6443", inode: "222" }]);
});

test("parseListeners() gives where somebody listens, and no connection", () => {
  assert.deepEqual(parseListeners(tcpText), ["127.0.0.1:8080"]);
  assert.deepEqual(parseListeners(""), []);
});
