import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { deadline, deadlineError } from "./deadline.ts";

const sentence = "Cannot stop it in time: it took longer than 5 s";

/** A deadline of 5 s that has fired, behind another signal. */
async function late(): Promise<AbortSignal> {
  const clock = new FakeClock();
  using limit = deadline(clock, 5_000, "Cannot stop it in time");
  await clock.advance(5_000);
  return AbortSignal.any([new AbortController().signal, limit.signal]);
}

test("deadlineError() says whose time was up in place of the bare end that it has led to", async () => {
  const signal = await late();
  assert.throws(
    () => {
      try {
        throwIfAborted(signal);
      } catch (thrown) {
        throw deadlineError(thrown, signal);
      }
    },
    { code: "timeout", message: sentence },
  );
});

test("deadlineError() adds what was tried last, once", async () => {
  const signal = await late();
  const tried = new LocalizerError("unavailable", "Cannot reach the API server");
  const once = deadlineError(tried, signal);
  assert.deepEqual([once.code, once.message], ["timeout", `${sentence}; Cannot reach the API server`]);
  const more = LocalizerError.wrap(once, "Cannot scale");
  assert.equal(deadlineError(more, signal), more);
});

test("deadlineError() leaves alone what did not come of the deadline", async () => {
  const denied = new LocalizerError("denied", "Cannot scale: forbidden");
  assert.equal(deadlineError(denied, await late()), denied);
  const stopped = new LocalizerError("aborted", "Stopped");
  assert.equal(deadlineError(stopped, AbortSignal.abort(new LocalizerError("aborted", "Enough"))), stopped);
  assert.equal(deadlineError(stopped, new AbortController().signal), stopped);
});
