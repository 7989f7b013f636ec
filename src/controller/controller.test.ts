import assert from "node:assert/strict";
import { test } from "node:test";
import { makeController, service, slice } from "../../test/support/controller-setup.ts";
import { turns, until } from "../../test/support/event-loop.ts";
import { LocalizerError } from "../errors.ts";

const taken = new LocalizerError("conflict", "Cannot listen: the port is taken by another program");
const { signal: never } = new AbortController();

test("Controller.start() resolves when every service is decided, and only then are names written", async () => {
  await using made = makeController([service("cart"), service("web"), service("db", { type: "ExternalName" })]);
  const start = made.start();
  assert.equal(made.controller.isStable, false);
  await start;
  assert.deepEqual(made.summary(), ["cart 80", "db skipped", "web 80"]);
  assert.equal(made.listener.open.length, 2);
  await made.stable();
  assert.deepEqual(
    made.writes.map((line) => line.split(" ").toSorted()),
    [["cart.team-a", "web.team-a"]],
  );
});

test("Controller.start() waits for the cache, and ends with the signal though the cache never comes", async () => {
  await using made = makeController([service("cart")]);
  const controller = new AbortController();
  const start = made.controller.start(controller.signal);
  await turns();
  assert.deepEqual(made.summary(), []);
  controller.abort();
  await assert.rejects(start, { code: "aborted" });
});

test("Controller serves a service that is created, and withdraws one that is deleted", async () => {
  await using made = makeController([]);
  await made.start();
  made.put(service("cart"));
  await made.stable();
  assert.deepEqual(made.summary(), ["cart 80"]);
  const [at] = made.listener.open;
  made.remove("cart");
  await made.stable();
  assert.deepEqual(made.summary(), []);
  assert.deepEqual(made.listener.open, []);
  assert.deepEqual(
    made.released.map((address) => `${address}:80`),
    [at],
  );
  assert.deepEqual(made.writes, ["cart.team-a", ""]);
});

test("Controller follows a service's ports and keeps its address and the listeners that stay", async () => {
  await using made = makeController([service("cart")]);
  await made.start();
  const [before] = made.listener.open;
  made.put(
    service("cart", {
      ports: [
        { name: "a", port: 80 },
        { name: "b", port: 443 },
      ],
    }),
  );
  await made.stable();
  assert.deepEqual(made.summary(), ["cart 80,443"]);
  assert.equal(made.listener.open[0], before);
  assert.equal(made.listener.attempts.length, 2);
  made.put(
    service("cart", {
      ports: [
        { name: "b", port: 443 },
        { name: "c", port: 53, protocol: "UDP" },
      ],
    }),
  );
  await made.stable();
  const [state] = made.controller.states;
  assert.ok(state?.kind === "tunnel");
  assert.equal(state.notice, "not forwarded: 53/UDP");
  assert.deepEqual(made.listener.open, [`${state.address}:443`]);
  assert.equal(made.writes.length, 1);
});

test("Controller writes no hosts file when only endpoints change", async () => {
  await using made = makeController([service("cart")]);
  await made.start();
  await made.stable();
  const readyPod = () => made.controller.readyPods().get("team-a")?.name;
  assert.equal(readyPod(), undefined);
  made.putSlice(slice("cart", "cart-0"));
  await made.stable();
  assert.equal(readyPod(), "cart-0");
  made.putSlice(slice("cart", "cart-1", "cart-2"));
  await made.stable();
  const [state] = made.controller.states;
  assert.ok(state?.kind === "tunnel");
  assert.deepEqual([state.ports[0]?.endpoint?.pod.name, state.ports[0]?.ready], ["cart-1", 2]);
  assert.deepEqual([made.writes.length, made.listener.attempts.length], [1, 1]);
});

test("Controller gives a service that is created again its old address", async () => {
  await using made = makeController([service("cart")]);
  await made.start();
  const before = made.listener.open;
  made.remove("cart");
  await made.stable();
  made.put(service("cart"));
  await made.stable();
  assert.deepEqual(made.listener.open, before);
});

test("Controller withdraws a service that can no longer be forwarded, and serves it when it can again", async () => {
  await using made = makeController([service("cart")]);
  await made.start();
  made.put(service("cart", { selector: {} }));
  await made.stable();
  assert.deepEqual([made.summary(), made.listener.open], [["cart skipped"], []]);
  made.put(service("cart"));
  await made.stable();
  assert.deepEqual(made.summary(), ["cart 80"]);
});

test("Controller tries a port that is taken again until it is free, warns once, and is stable meanwhile", async () => {
  const ports = [
    { name: "a", port: 80 },
    { name: "b", port: 443 },
  ];
  await using made = makeController([service("cart", { ports })]);
  made.listener.failures.set(443, taken);
  await made.start();
  await made.stable();
  assert.deepEqual(made.summary(), ["cart 80,443!conflict"]);
  const tries = made.listener.attempts.length;
  for (let second = 0; second < 10; second++) await made.clock.advance(1_000);
  assert.ok(made.listener.attempts.length > tries);
  assert.deepEqual(made.warnings, ["Cannot serve in full"]);
  made.listener.failures.clear();
  for (let second = 0; second < 60; second++) await made.clock.advance(1_000);
  assert.deepEqual(made.summary(), ["cart 80,443"]);
  await made.clock.advance(60_000);
  assert.equal(made.clock.pending, 0);
});

test("Controller shows a service for which no address is left, and serves it when one is free", async () => {
  await using made = makeController([service("a"), service("b"), service("c")], { range: "127.1.0.0/31" });
  await made.start();
  const failed = made.controller.states.filter((state) => state.kind === "failed");
  assert.deepEqual(
    failed.map(({ error }) => error.code),
    ["unavailable"],
  );
  const served = made.summary().find((line) => line.endsWith(" 80"));
  assert.ok(served !== undefined);
  made.remove(served.slice(0, 1));
  for (let second = 0; second < 60; second++) await made.clock.advance(1_000);
  assert.equal(made.summary().filter((line) => line.endsWith(" 80")).length, 2);
});

test("Controller gives the same service the address for which two ask, in whatever order they are listed", async () => {
  for (const names of [
    ["a", "b"],
    ["b", "a"],
  ]) {
    await using made = makeController(
      names.map((name) => service(name)),
      { range: "127.1.0.0/32" },
    );
    await made.start();
    assert.deepEqual(made.summary(), ["a 80", "b failed"]);
  }
});

test("Controller forgets a service that failed and was deleted", async () => {
  await using made = makeController([service("a"), service("b")], { range: "127.1.0.0/32" });
  await made.start();
  const [failed] = made.controller.states.filter((state) => state.kind === "failed");
  assert.ok(failed !== undefined);
  made.remove(failed.key.slice("team-a/".length));
  await made.stable();
  for (let second = 0; second < 60; second++) await made.clock.advance(1_000);
  assert.equal(made.controller.states.length, 1);
});

test("Controller follows a service that is deleted and made again while nobody looks", async () => {
  await using made = makeController([service("cart")]);
  await made.start();
  await made.stable();
  const [before] = made.controller.states;
  made.remove("cart");
  made.put({ ...service("cart", { ports: [{ port: 81 }] }), uid: "cart-2" });
  await made.stable();
  const [after] = made.controller.states;
  assert.ok(before?.kind === "tunnel" && after?.kind === "tunnel");
  assert.deepEqual([made.summary(), after.address, made.writes.length], [["cart 81"], before.address, 1]);
});

test("Controller makes of any sequence of events what the last state asks for", async () => {
  await using made = makeController([]);
  await made.start();
  for (let round = 0; round < 5; round++) {
    made.put(service("cart"));
    made.remove("cart");
    made.put(service("cart", { ports: [{ port: 8080 + round }] }));
    if (round % 2 === 0) await turns(1);
  }
  await made.stable();
  assert.deepEqual(made.summary(), ["cart 8084"]);
  assert.equal(made.listener.open.length, 1);
});

test("Controller[Symbol.asyncDispose]() closes every tunnel, follows nothing more and leaves no timer", async () => {
  const made = makeController([service("cart", { ports: [{ port: 443 }] }), service("web")]);
  made.listener.failures.set(443, taken);
  await made.start();
  await until(() => made.writes.length === 1);
  await made.controller[Symbol.asyncDispose]();
  await made.hosts[Symbol.asyncDispose]();
  assert.deepEqual(made.listener.open, []);
  assert.equal(made.listeners.size, 0);
  assert.equal(made.clock.pending, 0);
  made.put(service("late"));
  await turns();
  assert.deepEqual(made.listener.open, []);
  await made.controller[Symbol.asyncDispose]();
});

test("Controller[Symbol.asyncDispose]() ends a start that waits for the cache", async () => {
  const made = makeController([service("cart")]);
  const start = assert.rejects(made.controller.start(never), { code: "aborted" });
  await made.controller[Symbol.asyncDispose]();
  await start;
  assert.equal(made.listeners.size, 0);
});

test("Controller.states shows every service by key", async () => {
  await using made = makeController([service("b"), service("a"), service("c", { ports: [] })]);
  await made.start();
  assert.deepEqual(
    made.controller.states.map(({ key }) => key),
    ["team-a/a", "team-a/b", "team-a/c"],
  );
});
