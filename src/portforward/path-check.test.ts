import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import type { Delivery } from "../net/tcp-delivery.ts";
import { PathCheck } from "./path-check.ts";

const ends = { localAddress: "10.77.0.1", localPort: 1, remoteAddress: "10.77.0.2", remotePort: 2 };
const ever = Number.NEGATIVE_INFINITY;

/** Witnesses that say what the test wants; `dials` counts. */
function checked(delivery: Delivery, options: { isOurs?: boolean; isProxied?: boolean } = {}) {
  const clock = new FakeClock();
  const witness = { delivery, isOurs: options.isOurs ?? true, dials: 0, dial: async (_signal: AbortSignal) => {} };
  const check = new PathCheck({
    clock,
    deliveryOf: async () => witness.delivery,
    isOurs: () => witness.isOurs,
    isProxied: options.isProxied ?? false,
    dial: (signal) => {
      witness.dials++;
      return witness.dial(signal);
    },
  });
  return { clock, witness, ask: check.of(ends), check };
}

/** No answer until the signal fires. */
const hanging = (signal: AbortSignal) =>
  new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));

test("PathCheck takes a connection from an address that is no more for dead, and asks nobody else", async () => {
  const { ask, witness } = checked("acked");
  assert.equal(await ask(ever), "alive");
  witness.isOurs = false;
  assert.equal(await ask(ever), "dead");
  assert.equal(witness.dials, 0);
  const linkLocal = checked("acked", { isOurs: false });
  assert.equal(await linkLocal.ask(ever), "alive");
});

test("PathCheck believes the kernel where it has seen something", async () => {
  const direct = checked("acked");
  assert.equal(await direct.ask(ever), "alive");
  const repeating = checked("unacked");
  assert.equal(await repeating.ask(ever), "dead");
  assert.equal(direct.witness.dials + repeating.witness.dials, 0);
});

for (const [name, delivery, isProxied] of [
  ["the window is closed", "closed-window", false],
  ["the kernel does not tell", "unknown", false],
  ["it was the proxy that took it", "acked", true],
] as const) {
  test(`PathCheck dials where ${name}`, async () => {
    const { ask, clock, witness } = checked(delivery, { isProxied });
    assert.equal(await ask(ever), "alive");
    witness.dial = hanging;
    await clock.advance(5_000);
    const asked = ask(ever);
    await turns();
    await clock.advance(3_000);
    assert.equal(await asked, "dead");
    witness.dial = () => Promise.reject(new Error("refused"));
    await clock.advance(5_000);
    assert.equal(await ask(ever), "dead");
    assert.equal(witness.dials, 3);
    assert.equal(clock.pending, 0);
  });
}

test("PathCheck dials once for all connections, and once more when that was before what they ask about", async () => {
  const { ask, check, clock, witness } = checked("unknown");
  assert.deepEqual(await Promise.all([ask(ever), check.of({})(ever)]), ["alive", "alive"]);
  await clock.advance(3_999);
  await ask(ever);
  assert.equal(witness.dials, 1);
  await ask(clock.monotonic());
  assert.equal(witness.dials, 2);
  await clock.advance(4_000);
  await ask(ever);
  assert.equal(witness.dials, 3);
});
