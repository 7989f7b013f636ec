import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLoopbackRange } from "../model/loopback.ts";
import {
  clientHello,
  helperHello,
  hostsTable,
  limits,
  listenAddress,
  parseClientHello,
  parseHelperHello,
  parseReceived,
  parseReply,
  parseRequest,
} from "./protocol.ts";

const range = parseLoopbackRange("127.10.0.0/16");
const broken = { code: "internal", message: /^Cannot go on with the helper's channel/ };

test("parseClientHello() and parseHelperHello() take each other's words, of one version", () => {
  assert.deepEqual(parseClientHello(clientHello()), clientHello());
  assert.deepEqual(parseHelperHello(helperHello(7, 0)), helperHello(7, 0));
  assert.deepEqual(parseHelperHello(helperHello(7, 0, ["the link"])), helperHello(7, 0, ["the link"]));
  for (const removed of ["the link", [1], many(101, 1)]) {
    assert.throws(() => parseHelperHello({ ...helperHello(7, 0), removed }), broken);
  }
  assert.throws(() => parseClientHello({ ...clientHello(), version: 2 }), { message: /protocol version 2, want 1$/ });
  assert.throws(() => parseHelperHello({ ...helperHello(7, 0), pid: "7" }), broken);
});

test("parseHelperHello() passes on why the helper refused", () => {
  assert.throws(() => parseHelperHello({ type: "refused", message: "Too old" }), { message: "Too old" });
});

for (const request of [
  { type: "bind", id: 1, address: "127.10.0.1", port: 80 },
  { type: "hosts", id: 2, entries: [{ address: "127.10.0.1", names: ["a.b"] }] },
  { type: "link", id: 3, target: "/run/user/1/localizer/localizer.sock" },
  { type: "runtime-dir", id: 4 },
  { type: "end", id: 5 },
  { type: "release", id: 6, address: "127.10.0.1" },
]) {
  test(`parseRequest() takes ${request.type}, and no field more or less`, () => {
    assert.deepEqual(parseRequest(request), request);
    assert.throws(() => parseRequest({ ...request, more: 1 }), broken);
    for (const name of Object.keys(request)) {
      const rest = Object.entries(request).filter(([key]) => key !== name);
      assert.throws(() => parseRequest(Object.fromEntries(rest)), broken);
    }
  });
}

for (const hostile of [
  null,
  [],
  "end",
  { type: "exec", id: 1, command: "id" },
  { type: "bind", id: -1, address: "127.10.0.1", port: 80 },
  { type: "bind", id: 1, address: ["127.10.0.1"], port: 80 },
  { type: "bind", id: 1, address: "127.10.0.1", port: 1.5 },
  { type: "hosts", id: 1, entries: { length: 1 } },
  { type: "hosts", id: 1, entries: [{ address: "127.10.0.1", names: ["a"], file: "/etc/passwd" }] },
  { type: "hosts", id: 1, entries: [{ address: "127.10.0.1", names: [{}] }] },
  { type: "hosts", id: 1, file: "/etc/passwd", entries: [] },
  { type: "hosts", id: 1, entries: Array.from({ length: limits.entries + 1 }, () => ({ address: "", names: [] })) },
  { type: "hosts", id: 1, entries: [{ address: "127.10.0.1", names: ["a".repeat(1025)] }] },
  { type: "hosts", id: 1, entries: Array.from({ length: 200 }, () => ({ address: "", names: many(64, 1024) })) },
  { type: "link", id: 1, target: `/${"x".repeat(1024)}` },
]) {
  test(`parseRequest() refuses ${JSON.stringify(hostile).slice(0, 70)}`, () => {
    assert.throws(() => parseRequest(hostile), broken);
  });
}

test("property: parseRequest() and parseReply() return or throw a LocalizerError, whatever comes", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("bind", "hosts", "link", "end", "done", "failed"), (value, type) => {
      const message = typeof value === "object" && value !== null ? { type, id: 1, ...value } : value;
      for (const parse of [parseRequest, (some: unknown) => parseReply(some, 1)]) {
        try {
          parse(message);
        } catch (error) {
          assert.equal(error instanceof Error && error.name, "LocalizerError");
        }
      }
    }),
  );
});

test("parseReceived() wants the very listener's number", () => {
  assert.deepEqual(parseReceived({ type: "received", id: 4 }, 4), { type: "received", id: 4 });
  assert.throws(() => parseReceived({ type: "received", id: 3 }, 4), broken);
});

test("parseReply() wants an answer to the request, with a known code", () => {
  const failed = { type: "failed", id: 1, code: "conflict", message: "Taken", errno: "EADDRINUSE" };
  assert.deepEqual(parseReply(failed, 1), failed);
  assert.deepEqual(parseReply({ type: "done", id: 1, path: "/run/x" }, 1), { type: "done", id: 1, path: "/run/x" });
  assert.throws(() => parseReply(failed, 2), broken);
  assert.throws(() => parseReply({ ...failed, code: "toString" }, 1), broken);
});

test("listenAddress() refuses what is no loopback address or outside the range", () => {
  assert.deepEqual(listenAddress({ address: "127.10.0.1", port: 80 }, range), { address: "127.10.0.1", port: 80 });
  assert.throws(() => listenAddress({ address: "127.11.0.1", port: 80 }, range), { code: "denied" });
  for (const address of ["0.0.0.0", "::1", "127.10.0.01", "localhost", "127.10.0.1\n"]) {
    assert.throws(() => listenAddress({ address, port: 80 }, range), { code: "usage" });
  }
  for (const port of [0, 65_536])
    assert.throws(() => listenAddress({ address: "127.10.0.1", port }, range), { code: "usage" });
});

test("hostsTable() refuses names that are none and addresses outside the range", () => {
  const address = "127.10.0.1";
  assert.deepEqual(hostsTable([{ address, names: ["a.b"] }], range), [{ address, names: ["a.b"] }]);
  for (const name of ["a\n10.0.0.1 bank.example", "a b", "a#b", "A.B", "", "a..b", "1.2.3.4", "a\r", "ä"]) {
    assert.throws(() => hostsTable([{ address, names: ["ok", name] }], range), { code: "usage" });
  }
  for (const bad of ["10.0.0.1", "127.11.0.1", "127.10.0.1 x", "127.10.0.1\n"]) {
    assert.throws(() => hostsTable([{ address: bad, names: ["a"] }], range), { code: "denied" });
  }
});

test("listenAddress() and hostsTable() leave the machine its own addresses and names, in whatever range", () => {
  const all = parseLoopbackRange("127.0.0.0/8");
  for (const address of ["127.0.0.1", "127.0.0.53", "127.0.1.1", "127.255.255.255"]) {
    assert.throws(() => listenAddress({ address, port: 53 }, all), { code: "denied" });
    assert.throws(() => hostsTable([{ address, names: ["cart.shop"] }], all), { code: "denied" });
  }
  for (const name of ["localhost", "app.localhost", "ip6-loopback", "broadcasthost"]) {
    assert.throws(() => hostsTable([{ address: "127.1.0.1", names: ["ok", name] }], all), { code: "denied" });
  }
});

function many(count: number, length: number): string[] {
  return Array.from({ length: count }, () => "a".repeat(length));
}
