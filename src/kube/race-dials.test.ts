import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { raceDials } from "./race-dials.ts";

/** Dials that end as the test says. */
function race(signal = new AbortController().signal) {
  const clock = new FakeClock();
  const dials: { signal: AbortSignal; end: PromiseWithResolvers<string> }[] = [];
  const discarded: string[] = [];
  const dial = (dialSignal: AbortSignal) => {
    const end = Promise.withResolvers<string>();
    dials.push({ signal: dialSignal, end });
    return end.promise;
  };
  const result = raceDials(dial, { clock, signal, discard: (late) => discarded.push(late) });
  result.catch(() => {});
  return { clock, dials, discarded, result };
}

test("raceDials() makes one dial where it is answered, and leaves no timer and no listener behind", async () => {
  const { signal } = new AbortController();
  const { clock, dials, result } = race(signal);
  await clock.advance(1_900);
  dials[0]?.end.resolve("first");
  assert.equal(await result, "first");
  await clock.advance(10_000);
  assert.deepEqual([dials.length, clock.pending, getEventListeners(signal, "abort").length], [1, 0, 0]);
});

test("raceDials() dials again after 2 s and after 4 s, takes the first that succeeds and aborts the others", async () => {
  const { clock, dials, discarded, result } = race();
  await clock.advance(10_000);
  assert.equal(dials.length, 3);
  dials[1]?.end.resolve("second");
  assert.equal(await result, "second");
  assert.equal(dials[0]?.signal.aborted, true);
  dials[0]?.end.resolve("too late");
  await turns();
  assert.deepEqual(discarded, ["too late"]);
});

test("raceDials() fails at once with a dial that fails alone, and waits for others that are under way", async () => {
  const alone = race();
  alone.dials[0]?.end.reject(new LocalizerError("unavailable", "refused"));
  await assert.rejects(alone.result, { message: "refused" });
  assert.equal(alone.clock.pending, 0);
  const both = race();
  await both.clock.advance(4_000);
  both.dials[0]?.end.reject(new LocalizerError("unavailable", "reset"));
  both.dials[2]?.end.resolve("third");
  assert.equal(await both.result, "third");
});

test("raceDials() ends with the signal, and does not begin when it has fired", async () => {
  const controller = new AbortController();
  const { dials, result } = race(controller.signal);
  controller.abort(new LocalizerError("timeout", "No answer"));
  await assert.rejects(result, { code: "timeout" });
  assert.equal(dials[0]?.signal.aborted, true);
  const late = race(AbortSignal.abort());
  await assert.rejects(late.result, { code: "aborted" });
  assert.equal(late.dials.length, 0);
});
