import assert from "node:assert/strict";
import { test } from "node:test";
import { aborted } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { LatestTurn } from "./latest-turn.ts";

const { signal } = new AbortController();

/** Goes on until it has to make room. */
async function endless(limited: AbortSignal): Promise<void> {
  await aborted(limited);
  throwIfAborted(limited);
}

test("LatestTurn gives the turn to the latest, and lets the earlier one end as he does", async () => {
  const turns = new LatestTurn();
  const first = turns.take(signal, endless);
  assert.equal(turns.isIdle, false);
  await turns.take(signal, async () => {});
  await first;
  assert.equal(turns.isIdle, true);
});

test("LatestTurn throws what the latest has thrown, to all", async () => {
  const turns = new LatestTurn();
  const first = turns.take(signal, endless);
  const second = turns.take(signal, () => Promise.reject(new Error("no")));
  await assert.rejects(second, { message: "no" });
  await assert.rejects(first, { message: "no" });
});

test("LatestTurn runs one at a time", async () => {
  const turns = new LatestTurn();
  let running = 0;
  let most = 0;
  const work = async (limited: AbortSignal) => {
    most = Math.max(most, ++running);
    await aborted(limited);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
  };
  const over = new AbortController();
  const all = [turns.take(signal, work), turns.take(signal, work), turns.take(over.signal, work)];
  setImmediate(() => over.abort());
  await Promise.all(all);
  assert.equal(most, 1);
});

test("LatestTurn lets nobody wait for another's turn beyond his own signal, and says why that fired", async () => {
  const turns = new LatestTurn();
  const own = new AbortController();
  const over = new AbortController();
  const first = turns.take(own.signal, endless);
  const second = turns.take(over.signal, endless);
  own.abort(new LocalizerError("timeout", "Too late"));
  await assert.rejects(first, { code: "timeout", message: "Too late" });
  assert.equal(turns.isIdle, false);
  over.abort(new LocalizerError("aborted", "Stopped"));
  await assert.rejects(second, { code: "aborted" });
  assert.equal(turns.isIdle, true);
});

test("LatestTurn waits for the end of a caller's own work, whoever has the turn by then", async () => {
  const turns = new LatestTurn();
  const own = new AbortController();
  const ending = Promise.withResolvers<void>();
  let isOver = false;
  const first = turns
    .take(own.signal, () => ending.promise)
    .catch(() => {})
    .then(() => {
      isOver = true;
    });
  const second = turns.take(signal, async () => {});
  own.abort();
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isOver, false);
  ending.resolve();
  await Promise.all([first, second]);
});
