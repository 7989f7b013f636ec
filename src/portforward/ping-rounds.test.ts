import assert from "node:assert/strict";
import { test } from "node:test";
import { PingRounds } from "./ping-rounds.ts";

const limits = { proofMs: 2_000, suspectMs: 5_000, lostMs: 13_000 };

test("PingRounds knows what was proven and when something was heard, whatever round the answers are of", () => {
  const rounds = new PingRounds();
  const [first] = rounds.start(100, 0, () => {});
  const second = rounds.start(200, 0);
  assert.ok(first !== undefined);
  rounds.answered(first, 210);
  assert.deepEqual([rounds.heardMs, rounds.provenMs], [100, Number.NEGATIVE_INFINITY]);
  for (const id of second) rounds.answered(id, 220);
  assert.deepEqual([rounds.heardMs, rounds.provenMs], [200, 200]);
  // The first still has answers missing.
  assert.equal(rounds.judge(2_100, 0, limits), "poisoned");
});

test("PingRounds.excuse() moves the waiting, not what is proven by an answer", () => {
  const rounds = new PingRounds();
  const ids = rounds.start(100, 0);
  rounds.excuse(60_000);
  assert.equal(rounds.judge(61_000, 0, limits), "well");
  for (const id of ids) rounds.answered(id, 61_000);
  assert.equal(rounds.provenMs, 100);
});

test("PingRounds forgets the oldest rounds of many that nobody waits for, and none that is a proof", () => {
  const rounds = new PingRounds();
  const proof = rounds.start(0, 0, () => {});
  const oldest = rounds.start(1_000, 0);
  for (let round = 2; round < 5; round++) rounds.start(round * 1_000, 0);
  for (const id of oldest) rounds.answered(id, 5_000);
  assert.equal(rounds.heardMs, Number.NEGATIVE_INFINITY);
  for (const id of proof) rounds.answered(id, 5_000);
  assert.equal(rounds.proofs, 0);
  assert.equal(rounds.heardMs, 0);
});
