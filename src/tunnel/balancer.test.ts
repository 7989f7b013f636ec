import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Endpoint } from "../model/endpoint.ts";
import { port } from "../model/port.ts";
import { Balancer } from "./balancer.ts";

function endpoint(uid: string, number = 80): Endpoint {
  return { pod: { namespace: "shop", name: `cart-${uid}`, uid }, port: port(number) };
}

const [a, b, c] = [endpoint("a"), endpoint("b"), endpoint("c")];
const picked = (balancer: Balancer, endpoints: readonly Endpoint[], avoid?: ReadonlySet<string>) =>
  balancer.pick(endpoints, avoid)?.pod.uid;

test("Balancer.pick() takes the pods in turn while they have equally many connections", () => {
  const balancer = new Balancer();
  const three = Array.from({ length: 6 }, () => picked(balancer, [a, b, c]));
  assert.deepEqual(three, ["a", "b", "c", "a", "b", "c"]);
});

test("Balancer.pick() takes the pod with the fewest open connections", () => {
  const balancer = new Balancer();
  balancer.hold(a);
  balancer.hold(a);
  balancer.hold(b);
  const inB = balancer.hold(c);
  assert.ok(["b", "c"].includes(picked(balancer, [a, b, c]) ?? ""));
  inB[Symbol.dispose]();
  for (let turn = 0; turn < 5; turn++) assert.equal(picked(balancer, [a, b, c]), "c");
});

test("Balancer.pick() leaves out the pods to avoid and is undefined when none is left", () => {
  const balancer = new Balancer();
  assert.equal(picked(balancer, [a, b], new Set(["a"])), "b");
  assert.equal(picked(balancer, [a, b], new Set(["a", "b"])), undefined);
  assert.equal(picked(balancer, []), undefined);
});

test("Balancer.hold() counts a pod's connections to all of its ports together", () => {
  const balancer = new Balancer();
  const holds = [balancer.hold(a), balancer.hold(endpoint("a", 8080))];
  assert.equal(balancer.connections("a"), 2);
  for (const hold of holds) hold[Symbol.dispose]();
  assert.equal(balancer.connections("a"), 0);
});

test("Balancer.hold() counts down once, however often it is disposed", () => {
  const balancer = new Balancer();
  const [first] = [balancer.hold(a), balancer.hold(a)];
  first?.[Symbol.dispose]();
  first?.[Symbol.dispose]();
  assert.equal(balancer.connections("a"), 1);
});

test("Balancer keeps the pods' connections within one of each other when none ends", () => {
  const pods = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,3}$/), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(pods, fc.nat(50), (uids, count) => {
      const balancer = new Balancer();
      const endpoints = uids.map((uid) => endpoint(uid));
      for (let turn = 0; turn < count; turn++) {
        const next = balancer.pick(endpoints);
        assert.ok(next !== undefined);
        balancer.hold(next);
      }
      const held = uids.map((uid) => balancer.connections(uid));
      assert.ok(Math.max(...held) - Math.min(...held) <= 1, held.join(" "));
    }),
  );
});
