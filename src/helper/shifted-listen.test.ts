import assert from "node:assert/strict";
import { test } from "node:test";
import { addressAt, parseLoopbackRange } from "../model/loopback.ts";
import { type Port, port } from "../model/port.ts";
import { bindError, type Listen } from "../net/listen.ts";
import { shiftedListen } from "./shifted-listen.ts";

const address = addressAt(parseLoopbackRange("127.91.0.0/16"), 1);

test("shiftedListen() stays where it was told when that is allowed", async () => {
  const listen = shiftedListen(binding({ from: 80 }));
  assert.deepEqual([(await on(listen, 80)).at.port, (await on(listen, 5432)).at.port], [80, 5432]);
});

test("shiftedListen() moves a forbidden low port up by 8000, or to the next that is free", async () => {
  const listen = shiftedListen(binding({ from: 1024, taken: [8443, 8444] }));
  assert.deepEqual(
    await Promise.all([80, 443, 1023].map(async (number) => (await on(listen, number)).at.port)),
    [8080, 8445, 9023],
  );
});

test("shiftedListen() moves to no number that the address wants for itself", async () => {
  const listen = shiftedListen(binding({ from: 1024 }));
  const wanted = new Set([port(80), port(8080), port(8081)]);
  assert.equal((await listen({ address, port: port(80) }, () => {}, undefined, wanted)).at.port, 8082);
});

test("shiftedListen() says conflict when 20 ports are taken, and tries no more", async () => {
  const asked: number[] = [];
  const taken = Array.from({ length: 20 }, (_, index) => 8080 + index);
  const listen = shiftedListen(binding({ from: 1024, taken, asked }));
  await assert.rejects(on(listen, 80), { code: "conflict", message: /:80: .* ports 8080 to 8099 are taken$/ });
  assert.equal(asked.length, 21);
});

test("shiftedListen() passes on every other failure, at once", async () => {
  const asked: number[] = [];
  const listen = shiftedListen(binding({ from: 1024, taken: [5432], asked }));
  await assert.rejects(on(listen, 5432), { code: "conflict" });
  await assert.rejects(on(shiftedListen(binding({ from: 5000, asked })), 1024), { code: "denied" });
  await assert.rejects(on(shiftedListen(binding({ from: 0, taken: [80], asked })), 80), { code: "conflict" });
  assert.deepEqual(asked, [5432, 1024, 80]);
});

function on(listen: Listen, number: number) {
  return listen({ address, port: port(number) }, () => {});
}

/** A system that lets one bind from a port on, with ports that are taken. */
function binding(system: { from: number; taken?: readonly number[]; asked?: number[] }): Listen {
  const { from, taken = [], asked = [] } = system;
  return async (at) => {
    asked.push(at.port);
    const errno = at.port < from ? "EACCES" : isIn(taken, at.port) ? "EADDRINUSE" : undefined;
    if (errno !== undefined) throw bindError(at, Object.assign(new Error(errno), { code: errno }));
    return { at, async [Symbol.asyncDispose]() {} };
  };
}

function isIn(numbers: readonly number[], at: Port): boolean {
  return numbers.includes(at);
}
