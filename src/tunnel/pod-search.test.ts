import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { tcpPair } from "../../test/support/tcp-pair.ts";
import { type ErrorCode, LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { Affinity } from "./affinity.ts";
import { Balancer } from "./balancer.ts";
import { findPod } from "./pod-search.ts";
import { ReadyPods } from "./ready-pods.ts";

function endpoint(uid: string): Endpoint {
  return { pod: { namespace: "shop", name: `cart-${uid}`, uid }, port: port(8080) };
}

const [a, b, c, d] = [endpoint("a"), endpoint("b"), endpoint("c"), endpoint("d")];

/** How a pod meets a connection, at its first and its later ones (the last counts on): it answers, or fails so. */
type Manner = "answers" | "hears" | ErrorCode;

/** A port's pods. All but those of whom it is said otherwise answer. */
function podsOf(endpoints: readonly Endpoint[], manners: Readonly<Record<string, readonly Manner[]>> = {}) {
  const clock = new FakeClock();
  const pods = new ReadyPods(clock);
  pods.set(endpoints);
  const tried: string[] = [];
  const heard: Duplex[] = [];
  const near: Duplex[] = [];
  const dial = async ({ pod: { uid } }: Endpoint) => {
    const turn = tried.filter((one) => one === uid).length;
    const manner = manners[uid]?.[turn] ?? manners[uid]?.at(-1) ?? "answers";
    tried.push(uid);
    const pair = duplexPair();
    pair.far.on("error", () => {});
    heard.push(pair.far);
    near.push(pair.near);
    if (manner === "answers") pair.far.write("hello");
    else if (manner !== "hears") {
      // As the runtime does: the channel is open, then comes the reason.
      const fail = () => pair.near.destroy(new LocalizerError(manner, `Cannot forward to ${uid}`));
      pair.far.once("readable", fail);
    }
    return pair.near;
  };
  const components = { clock, dial, pods, balancer: new Balancer(), affinity: new Affinity(clock) };
  const address = "127.1.2.3";
  assert.ok(isLoopbackAddress(address));
  const options = { at: { address, port: port(80) }, affinityMs: undefined, onTry: () => {} };
  const search = (local: Parameters<typeof findPod>[0], affinityMs?: number, stop = new AbortController()) =>
    findPod(local, components, { ...options, affinityMs, stop });
  return { ...components, tried, heard, near, options, search };
}

test("findPod() repeats what was said to the next pod when one refuses after its channel was open", async () => {
  for (const code of ["refused", "gone"] as const) {
    const made = podsOf([a, b], { a: [code], b: ["hears"] });
    await using pair = await tcpPair();
    pair.app.write("question");
    const found = made.search(pair.local);
    await until(() => made.heard.length === 2);
    const [, second] = made.heard;
    assert.ok(second !== undefined);
    assert.equal(String((await once(second, "data"))[0]), "question");
    second.write("answer");
    const { far, held } = await found;
    assert.equal(String((await once(far, "data"))[0]), "answer");
    assert.deepEqual([made.balancer.connections("a"), made.balancer.connections("b")], [0, 1]);
    held[Symbol.dispose]();
    assert.deepEqual([made.balancer.connections("b"), made.near[0]?.destroyed], [0, true]);
  }
});

test("findPod() fails at once when every ready pod refuses, with the last one's reason", async () => {
  const made = podsOf([a, b], { a: ["refused"], b: ["refused"] });
  await using pair = await tcpPair();
  pair.app.write("question");
  await assert.rejects(made.search(pair.local), { code: "refused", message: "Cannot forward to b" });
  assert.deepEqual([made.tried, made.clock.pending], [["a", "b"], 0]);
});

test("findPod() tries three pods at most", async () => {
  const refused = ["refused"] as const;
  const made = podsOf([a, b, c, d], { a: refused, b: refused, c: refused, d: refused });
  await using pair = await tcpPair();
  pair.app.write("question");
  await assert.rejects(made.search(pair.local), { code: "refused" });
  assert.equal(made.tried.length, 3);
});

test("findPod() tries a pod that refused last", async () => {
  const made = podsOf([a, b], { a: ["refused"] });
  let failures = 1;
  const dial = async (to: Endpoint) => {
    if (to === b && failures-- > 0) {
      made.tried.push("b");
      throw new LocalizerError("unavailable", "the API server restarts");
    }
    return await made.dial(to);
  };
  await using pair = await tcpPair();
  pair.app.write("question");
  const found = findPod(pair.local, { ...made, dial }, { ...made.options, stop: new AbortController() });
  await made.clock.asleep();
  await made.clock.advance(500);
  (await found).held[Symbol.dispose]();
  assert.deepEqual(made.tried, ["a", "b", "b"]);
});

test("findPod() tries a pod that refused another connection last, for 5 s", async () => {
  const made = podsOf([a, b], { a: ["refused"] });
  const connect = async () => {
    await using pair = await tcpPair();
    pair.app.write("question");
    (await made.search(pair.local)).held[Symbol.dispose]();
  };
  for (let turn = 0; turn < 4; turn++) await connect();
  assert.deepEqual(made.tried, ["a", "b", "b", "b", "b"]);
  await made.clock.advance(5_000);
  await connect();
  await connect();
  assert.equal(made.tried.filter((uid) => uid === "a").length, 2);
});

test("findPod() leaves a pod that says nothing for 2 s when there is another, and waits longer for the last one", async () => {
  const made = podsOf([a, b]);
  const aborted: string[] = [];
  const dial = async (to: Endpoint, signal: AbortSignal) => {
    if (to === a) {
      await made.clock.sleep(60_000, signal).catch(() => aborted.push("a"));
      throw new LocalizerError("aborted", "Stopped");
    }
    await made.clock.sleep(2_900, signal);
    return await made.dial(to);
  };
  await using pair = await tcpPair();
  pair.app.write("question");
  const found = findPod(pair.local, { ...made, dial }, { ...made.options, stop: new AbortController() });
  await until(() => made.clock.pending === 2);
  await made.clock.advance(2_000);
  await until(() => made.clock.sleeps[0] === 2_900);
  await made.clock.advance(2_900);
  (await found).held[Symbol.dispose]();
  assert.deepEqual([aborted, made.tried, made.clock.pending], [["a"], ["b"], 0]);
});

test("findPod() asks no second pod when the first may have got something", async () => {
  const made = podsOf([a, b], { a: ["unavailable"] });
  await using pair = await tcpPair();
  pair.app.write("POST");
  await assert.rejects(made.search(pair.local), { code: "unavailable", message: "Cannot forward to a" });
  assert.deepEqual(made.tried, ["a"]);
});

test("findPod() waits for another pod when all that were ready are gone, 5 s in all", async () => {
  const made = podsOf([a], { a: ["gone"] });
  await using first = await tcpPair();
  await using second = await tcpPair();
  first.app.write("question");
  const found = made.search(first.local);
  await until(() => made.clock.pending === 1);
  await made.clock.advance(4_999);
  made.pods.set([a, b]);
  (await found).held[Symbol.dispose]();
  assert.deepEqual(made.tried, ["a", "b"]);

  made.pods.set([a]);
  second.app.write("question");
  const lost = assert.rejects(made.search(second.local), { code: "gone" });
  await until(() => made.clock.pending === 1);
  await made.clock.advance(5_000);
  await lost;
});

test("findPod() ends with `aborted` when the caller breaks off or the signal fires, and closes the channel", async () => {
  for (const isCaller of [true, false]) {
    const made = podsOf([a], { a: ["hears"] });
    await using pair = await tcpPair();
    const stop = new AbortController();
    const found = made.search(pair.local, undefined, stop);
    await until(() => made.near.length === 1);
    if (isCaller) pair.app.resetAndDestroy();
    else stop.abort();
    await assert.rejects(found, { code: "aborted" });
    assert.deepEqual([made.near[0]?.destroyed, made.balancer.connections("a")], [true, 0]);
  }
});

test("findPod() leads a caller to the pod of his last connection while it is ready and within the time", async () => {
  const made = podsOf([a, b]);
  const connect = async () => {
    await using pair = await tcpPair();
    const { held } = await made.search(pair.local, 10_000);
    // Held on: by the count alone the next would go elsewhere.
    void held;
    return made.tried.at(-1);
  };
  const first = await connect();
  await made.clock.advance(10_000);
  assert.deepEqual([await connect(), await connect()], [first, first]);
  await made.clock.advance(10_001);
  const later = await connect();
  assert.notEqual(later, first);
  made.pods.set(later === "a" ? [b] : [a]);
  assert.equal(await connect(), first);
  made.pods.set([a, b]);
  assert.equal(await connect(), first);
});

test("findPod() leads a caller elsewhere when his pod refuses, and remembers where", async () => {
  const made = podsOf([a, b], { a: ["answers", "refused", "answers"] });
  made.affinity.remember("127.0.0.1", "a");
  for (let turn = 0; turn < 3; turn++) {
    await using pair = await tcpPair();
    pair.app.write("question");
    await made.search(pair.local, 10_000);
  }
  assert.deepEqual(made.tried, ["a", "a", "b", "b"]);
});
