import assert from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { turns, until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { type TcpPair, tcpPair } from "../../test/support/tcp-pair.ts";
import { aborted } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Endpoint } from "../model/endpoint.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { Affinity } from "./affinity.ts";
import { Balancer } from "./balancer.ts";
import { findPod } from "./pod-search.ts";
import { ReadyPods } from "./ready-pods.ts";

/** So many pods whose node says nothing, until the test opens a channel by hand. */
function hangingPods(count: number) {
  const clock = new FakeClock();
  const pods = new ReadyPods(clock);
  const uids = Array.from({ length: count }, (_, index) => `u${index}`);
  pods.set(uids.map((uid) => ({ pod: { namespace: "shop", name: `cart-${uid}`, uid }, port: port(8080) })));
  const dials: { readonly uid: string; isAborted: boolean }[] = [];
  const opened = Promise.withResolvers<Duplex>();
  const dial = async ({ pod: { uid } }: Endpoint, signal: AbortSignal) => {
    const entry = { uid, isAborted: false };
    dials.push(entry);
    const ended = aborted(signal).then(() => {
      entry.isAborted = true;
      throw new LocalizerError("aborted", "Stopped");
    });
    return await Promise.race([ended, opened.promise]);
  };
  const balancer = new Balancer();
  const address = "127.1.2.3";
  assert.ok(isLoopbackAddress(address));
  const search = ({ local }: TcpPair, stop = new AbortController()) => {
    const options = { at: { address, port: port(80) }, affinityMs: undefined, onTry: () => {}, stop };
    return findPod(local, { clock, dial, pods, balancer, affinity: new Affinity(clock) }, options);
  };
  return { clock, pods, dials, opened, balancer, search };
}

/** How long the search takes until it fails, with that code. */
async function timeToFail(count: number): Promise<number> {
  const made = hangingPods(count);
  await using pair = await tcpPair();
  const before = made.clock.monotonic();
  let isOver = false;
  const failed = assert.rejects(made.search(pair), { code: "timeout" }).then(() => {
    isOver = true;
  });
  await turns();
  for (let step = 0; !isOver && step < 60; step++) {
    await made.clock.advance(500);
    await turns(5);
  }
  await failed;
  assert.deepEqual([made.clock.pending, made.dials.every(({ isAborted }) => isAborted)], [0, true]);
  return made.clock.monotonic() - before;
}

test("findPod() gives up after 5 s, though every pod that it tries hangs", async () => {
  assert.equal(await timeToFail(3), 5_000);
  assert.equal(await timeToFail(5), 5_000);
});

test("findPod() gives up after 5 s on the only pod, if that hangs", async () => {
  assert.equal(await timeToFail(1), 5_000);
});

test("findPod() ends the dial when the caller breaks off, also when he has said something", async () => {
  for (const words of ["", "question"]) {
    const made = hangingPods(1);
    await using pair = await tcpPair();
    if (words !== "") pair.app.write(words);
    const found = assert.rejects(made.search(pair), { code: "aborted" });
    await until(() => made.dials.length === 1);
    await turns();
    pair.app.resetAndDestroy();
    await found;
    await until(() => made.dials[0]?.isAborted === true);
    assert.deepEqual([made.clock.pending, made.balancer.connections("u0")], [0, 0]);
  }
});

test("findPod() ends the wait for a pod when the caller breaks off", async () => {
  const made = hangingPods(0);
  await using pair = await tcpPair();
  const found = assert.rejects(made.search(pair), { code: "aborted" });
  await until(() => made.clock.pending === 1);
  pair.app.resetAndDestroy();
  await found;
  assert.equal(made.clock.pending, 0);
});

test("findPod() goes on for a caller who has ended his side, and hands on what he said, and his end", async () => {
  const made = hangingPods(1);
  await using pair = await tcpPair();
  pair.app.end("question");
  const found = made.search(pair);
  await until(() => made.dials.length === 1);
  await turns(50);
  assert.equal(made.dials[0]?.isAborted, false);
  const { near, far } = duplexPair();
  made.opened.resolve(near);
  far.resume();
  const [said] = await Promise.all([once(far, "data"), once(far, "end")]);
  far.write("answer");
  assert.equal(String(said[0]), "question");
  const { held } = await found;
  held[Symbol.dispose]();
});

test("findPod() loses no byte of a caller who says more than is kept before a pod is reached", async () => {
  const made = hangingPods(1);
  await using pair = await tcpPair();
  const text = Buffer.alloc(200_000, "0123456789");
  pair.app.end(text);
  const found = made.search(pair);
  await until(() => made.dials.length === 1);
  await turns(50);
  const { near, far } = duplexPair();
  made.opened.resolve(near);
  const chunks: Buffer[] = [];
  far.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(far, "end");
  assert.ok(Buffer.concat(chunks).equals(text));
  far.write("answer");
  (await found).held[Symbol.dispose]();
});
