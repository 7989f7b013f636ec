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

const bank = { namespace: "bank", name: "ledger-1", uid: "u2" };
const none = () => new Map<string, PodRef>();

/** What a controller has ready. */
function ready(...pods: readonly PodRef[]): () => ReadonlyMap<string, PodRef> {
  return () => new Map(pods.map((one) => [one.namespace, one]));
}

test("PortForwardHealth.keepProbing() asks every 5 s for a ready pod and stops when a probe works", async () => {
  const clock = new FakeClock();
  const health = new PortForwardHealth(clock);
  let pods = none();
  const outcomes = [gone, denied, undefined];
  const probed: string[] = [];
  const probing = health.keepProbing(
    () => pods,
    async ({ name }) => {
      probed.push(name);
      const outcome = outcomes.shift();
      if (outcome !== undefined) throw outcome;
    },
  );
  await turns();
  await clock.advance(10_000);
  assert.deepEqual(probed, []);
  pods = new Map([[pod.namespace, pod]]);
  await clock.advance(5_000);
  await turns();
  assert.deepEqual(
    [probed.length, health.worksIn(pod.namespace), health.deniedIn(pod.namespace)],
    [1, false, undefined],
  );
  await clock.advance(5_000);
  await turns();
  assert.deepEqual([probed.length, health.worksIn(pod.namespace), health.deniedIn(pod.namespace)], [2, false, denied]);
  await clock.advance(55_000);
  await turns();
  assert.equal(probed.length, 2, "a right is granted by people, so it is asked for once a minute");
  await clock.advance(5_000);
  await turns();
  assert.deepEqual(
    [probed.length, health.worksIn(pod.namespace), health.deniedIn(pod.namespace)],
    [3, true, undefined],
  );
  await clock.advance(60_000);
  assert.equal(probed.length, 3);
  await probing[Symbol.asyncDispose]();
});

test("PortForwardHealth.keepProbing() leaves a namespace alone in which a connection has shown that it works", async () => {
  const clock = new FakeClock();
  const health = new PortForwardHealth(clock);
  const dial = health.watch(async () => duplexPair().near);
  let pods = none();
  const probing = health.keepProbing(
    () => pods,
    () => assert.fail("it probed"),
  );
  await dial(endpoint, never);
  pods = new Map([[pod.namespace, pod]]);
  await clock.advance(5_000);
  await turns();
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
  await using _probing = health.keepProbing(ready(pod, bank), async ({ name }) => void probed.push(name));
  await turns();
  assert.deepEqual(probed, ["cart-0", "ledger-1"]);
  await assert.rejects(dial({ ...endpoint, pod: { ...bank, name: "ledger-0" } }, never), denied);
  await turns();
  await clock.advance(60_000);
  await turns();
  assert.deepEqual([probed, health.deniedIn("bank")], [["cart-0", "ledger-1", "ledger-1"], undefined]);
});

test("PortForwardHealth.keepProbing() waits a minute after an attempt that said nothing, too", async () => {
  const clock = new FakeClock();
  const health = new PortForwardHealth(clock);
  const outcomes: (LocalizerError | undefined)[] = [denied, gone, undefined];
  let probes = 0;
  await using _probing = health.keepProbing(ready(pod), async () => {
    const outcome = outcomes[probes++];
    if (outcome !== undefined) throw outcome;
  });
  const counts: number[] = [];
  for (const ms of [0, 60_000, 59_000, 1_000]) {
    await clock.advance(ms);
    await turns();
    counts.push(probes);
  }
  assert.deepEqual(counts, [1, 2, 2, 3]);
  assert.equal(health.worksIn(pod.namespace), true);
});

test("PortForwardHealth.keepProbing() ends when disposed, in its sleep or in a probe", async () => {
  const clock = new FakeClock();
  const sleeping = new PortForwardHealth(clock).keepProbing(none, async () => {});
  await clock.asleep();
  await sleeping[Symbol.asyncDispose]();
  assert.equal(clock.pending, 0);
  const health = new PortForwardHealth(clock);
  const probing = health.keepProbing(
    ready(pod),
    (_pod, signal) =>
      new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(new LocalizerError("aborted", "Stopped")), { once: true });
      }),
  );
  await probing[Symbol.asyncDispose]();
  await probing[Symbol.asyncDispose]();
  assert.deepEqual([clock.pending, health.worksIn(pod.namespace)], [0, false]);
});

for (const [order, pods] of [
  ["first", [bank, pod]],
  ["last", [pod, bank]],
] as const) {
  test(`PortForwardHealth.keepProbing() asks in each namespace, also when the one that is denied comes ${order}`, async () => {
    const health = new PortForwardHealth(new FakeClock());
    const probe = async ({ namespace }: PodRef) => {
      if (namespace === "bank") throw denied;
    };
    await using probing = health.keepProbing(ready(...pods), probe);
    await probing.firstRound;
    const known = ["bank", "shop"].map((name) => [health.worksIn(name), health.deniedIn(name)?.code]);
    assert.deepEqual(known, [
      [false, "denied"],
      [true, undefined],
    ]);
  });
}

test("PortForwardHealth.keepProbing() probes a namespace when it has got its first ready pod", async () => {
  const clock = new FakeClock();
  const health = new PortForwardHealth(clock);
  const pods = new Map([[pod.namespace, pod]]);
  const probed: string[] = [];
  await using _probing = health.keepProbing(
    () => pods,
    async ({ name }) => void probed.push(name),
  );
  await turns();
  pods.set(bank.namespace, bank);
  await clock.advance(5_000);
  await turns();
  assert.deepEqual([probed, health.worksIn("bank")], [["cart-0", "ledger-1"], true]);
});

test("PortForwardHealth.keepProbing() probes four namespaces at a time", async () => {
  const health = new PortForwardHealth(new FakeClock());
  const pods = Array.from({ length: 10 }, (_, index) => ({
    namespace: `n${index}`,
    name: `p${index}`,
    uid: `${index}`,
  }));
  let open = 0;
  let most = 0;
  await using probing = health.keepProbing(ready(...pods), async () => {
    most = Math.max(most, ++open);
    await turns();
    open--;
  });
  await probing.firstRound;
  assert.deepEqual([most, pods.every(({ namespace }) => health.worksIn(namespace))], [4, true]);
});
