import assert from "node:assert/strict";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import type { PodRef } from "../model/endpoint.ts";
import { port } from "../model/port.ts";
import { PortForwardHealth } from "./port-forward-health.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const endpoint = { pod, port: port(80) };
const denied = new LocalizerError("denied", "pods is forbidden");
const gone = new LocalizerError("gone", "The pod is gone");
const { signal: never } = new AbortController();

/** A watched dialer that gives these outcomes, in turn. */
function watched(...outcomes: readonly (LocalizerError | "works")[]) {
  const health = new PortForwardHealth(new FakeClock());
  const left = [...outcomes];
  const dial = health.watch(async () => {
    const outcome = left.shift();
    if (outcome instanceof LocalizerError) throw outcome;
    return duplexPair().near;
  });
  return { health, dial };
}

test("PortForwardHealth knows nothing before the first connection", () => {
  const { health } = watched();
  assert.deepEqual([health.works, health.deniedIn(pod.namespace)], [false, undefined]);
});

test("PortForwardHealth.watch() hands the dialer's outcome through", async () => {
  const { health, dial } = watched("works", gone);
  const stream = await dial(endpoint, never);
  assert.ok(stream.writable);
  await assert.rejects(dial(endpoint, never), gone);
  assert.equal(health.works, true);
});

test("PortForwardHealth works from the first upgrade on, and remembers a refusal until one in that namespace succeeds", async () => {
  const { health, dial } = watched("works", denied, gone, "works");
  const seen: unknown[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    await dial(endpoint, never).catch(() => {});
    seen.push([health.works, health.deniedIn(pod.namespace)?.code]);
  }
  assert.deepEqual(seen, [
    [true, undefined],
    [true, "denied"],
    [true, "denied"],
    [true, undefined],
  ]);
});

test("PortForwardHealth takes no other failure for an answer", async () => {
  const { health, dial } = watched(gone);
  await assert.rejects(dial(endpoint, never), gone);
  assert.deepEqual([health.works, health.deniedIn(pod.namespace)], [false, undefined]);
});

test("PortForwardHealth.keepProbing() asks every 5 s for a ready pod and stops when a probe works", async () => {
  const clock = new FakeClock();
  const health = new PortForwardHealth(clock);
  let ready: PodRef | undefined;
  const outcomes = [gone, denied, undefined];
  const probed: string[] = [];
  const probing = health.keepProbing(
    () => ready,
    async ({ name }) => {
      probed.push(name);
      const outcome = outcomes.shift();
      if (outcome !== undefined) throw outcome;
    },
  );
  await clock.advance(10_000);
  assert.deepEqual(probed, []);
  ready = pod;
  await clock.advance(5_000);
  await turns();
  assert.deepEqual([probed.length, health.works, health.deniedIn(pod.namespace)], [1, false, undefined]);
  await clock.advance(5_000);
  await turns();
  assert.deepEqual([probed.length, health.works, health.deniedIn(pod.namespace)], [2, false, denied]);
  await clock.advance(55_000);
  await turns();
  assert.equal(probed.length, 2, "a right is granted by people, so it is asked for once a minute");
  await clock.advance(5_000);
  await turns();
  assert.deepEqual([probed.length, health.works, health.deniedIn(pod.namespace)], [3, true, undefined]);
  await clock.advance(60_000);
  assert.equal(probed.length, 3);
  assert.equal(clock.pending, 0);
  await probing[Symbol.asyncDispose]();
});

test("PortForwardHealth.keepProbing() stops when a connection has shown that it works", async () => {
  const clock = new FakeClock();
  const health = new PortForwardHealth(clock);
  const dial = health.watch(async () => duplexPair().near);
  const probing = health.keepProbing(
    () => undefined,
    () => assert.fail("it probed"),
  );
  await dial(endpoint, never);
  await clock.advance(5_000);
  await turns();
  assert.equal(clock.pending, 0);
  await probing[Symbol.asyncDispose]();
});

test("PortForwardHealth.keepProbing() asks again where a connection was refused, and of a pod that is there", async () => {
  const clock = new FakeClock();
  const health = new PortForwardHealth(clock);
  const dial = health.watch(async ({ pod: { namespace } }) => {
    if (namespace === "bank") throw denied;
    return duplexPair().near;
  });
  const probed: string[] = [];
  await using _probing = health.keepProbing(
    (namespace) => (namespace === "bank" ? { namespace, name: "ledger-1", uid: "u2" } : pod),
    async ({ name }) => void probed.push(name),
  );
  await turns();
  assert.deepEqual([probed, clock.pending], [["cart-0"], 0], "it rests for good when all is well");
  await assert.rejects(dial({ ...endpoint, pod: { ...pod, namespace: "bank" } }, never), denied);
  await turns();
  await clock.advance(60_000);
  await turns();
  assert.deepEqual([probed, health.deniedIn("bank")], [["cart-0", "ledger-1"], undefined]);
  assert.equal(clock.pending, 0);
});

test("PortForwardHealth takes a lost login for the refusal of every namespace, until one attempt is known again", async () => {
  const loggedOut = new LocalizerError("unauthenticated", "The API server does not know you");
  const { health, dial } = watched(loggedOut, denied, loggedOut, "works");
  const seen: unknown[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    await dial(endpoint, never).catch(() => {});
    seen.push([health.deniedIn(pod.namespace)?.code, health.deniedIn("bank")?.code]);
  }
  assert.deepEqual(seen, [
    ["unauthenticated", "unauthenticated"],
    ["denied", undefined],
    ["unauthenticated", "unauthenticated"],
    [undefined, undefined],
  ]);
});

test("PortForwardHealth.reset() forgets that it worked, and probes at once: the first pod and every refusal", async () => {
  const clock = new FakeClock();
  const health = new PortForwardHealth(clock);
  const bank = { namespace: "bank", name: "ledger-1", uid: "u2" };
  const probed: string[] = [];
  let refuse = false;
  await using _probing = health.keepProbing(
    (namespace = pod.namespace) => (namespace === pod.namespace ? pod : bank),
    async ({ name }) => {
      probed.push(name);
      if (refuse) throw denied;
    },
  );
  const dial = health.watch(() => Promise.reject(denied));
  await turns();
  await assert.rejects(dial({ ...endpoint, pod: bank }, never), denied);
  await turns();
  refuse = true;
  health.reset();
  assert.equal(health.works, false);
  await turns();
  assert.deepEqual(probed, ["cart-0", "ledger-1", "cart-0"]);
  assert.deepEqual(
    [health.works, health.deniedIn("shop")?.code, health.deniedIn("bank")?.code],
    [false, "denied", "denied"],
  );
  refuse = false;
  health.reset();
  await turns();
  assert.deepEqual([health.works, health.deniedIn("shop"), health.deniedIn("bank")], [true, undefined, undefined]);
});

test("PortForwardHealth.keepProbing() waits a minute after an attempt that said nothing, too", async () => {
  const clock = new FakeClock();
  const health = new PortForwardHealth(clock);
  const outcomes: (LocalizerError | undefined)[] = [denied, gone, undefined];
  let probes = 0;
  await using _probing = health.keepProbing(
    () => pod,
    async () => {
      const outcome = outcomes[probes++];
      if (outcome !== undefined) throw outcome;
    },
  );
  const counts: number[] = [];
  for (const ms of [0, 60_000, 59_000, 1_000]) {
    await clock.advance(ms);
    await turns();
    counts.push(probes);
  }
  assert.deepEqual(counts, [1, 2, 2, 3]);
  assert.equal(health.works, true);
});

test("PortForwardHealth.reset() lets no attempt count that was made with the old credentials", async () => {
  const health = new PortForwardHealth(new FakeClock());
  const answer = Promise.withResolvers<void>();
  const dial = health.watch(async () => {
    await answer.promise;
    return duplexPair().near;
  });
  const dialling = dial(endpoint, never);
  health.reset();
  answer.resolve();
  await dialling;
  assert.equal(health.works, false);
});

test("PortForwardHealth.keepProbing() ends when disposed, in its sleep or in a probe", async () => {
  const clock = new FakeClock();
  const sleeping = new PortForwardHealth(clock).keepProbing(
    () => undefined,
    async () => {},
  );
  await clock.asleep();
  await sleeping[Symbol.asyncDispose]();
  assert.equal(clock.pending, 0);
  const health = new PortForwardHealth(clock);
  const probing = health.keepProbing(
    () => pod,
    (_pod, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new LocalizerError("aborted", "Stopped")), { once: true });
      }),
  );
  await probing[Symbol.asyncDispose]();
  await probing[Symbol.asyncDispose]();
  assert.deepEqual([clock.pending, health.works], [0, false]);
});

test("PortForwardHealth keeps a refusal to its namespace", async () => {
  const { health, dial } = watched("works", denied);
  await dial(endpoint, never);
  await assert.rejects(dial({ pod: { ...pod, namespace: "bank" }, port: port(80) }, never), denied);
  assert.equal(health.deniedIn("bank"), denied);
  assert.deepEqual([health.works, health.deniedIn("shop")], [true, undefined]);
});
