import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Credential, Credentials } from "./credentials.ts";
import { withCredential } from "./with-credential.ts";

/** Credentials that wait until somebody has logged in. */
function waiting() {
  const login = Promise.withResolvers<Credential>();
  const source = { failure: undefined as LocalizerError | undefined, asked: 0 };
  const credentials: Credentials = {
    current(signal) {
      source.asked++;
      const ended = new Promise<never>((_, reject) => {
        signal?.addEventListener("abort", () => reject(new LocalizerError("aborted", "Stopped")), { once: true });
      });
      return Promise.race([login.promise, ended]);
    },
    rejected: () => true,
    get failure() {
      return source.failure;
    },
  };
  return { credentials, source, logIn: () => login.resolve({ headers: {} }) };
}

test("withCredential() waits for a person who logs in for longer than a call may take", async () => {
  const { credentials, logIn } = waiting();
  const clock = new FakeClock();
  const work = withCredential(credentials, { clock, timeoutMs: 100 }, async () => "done");
  await clock.advance(10_000);
  logIn();
  assert.equal(await work, "done");
  assert.equal(clock.pending, 0);
});

for (const code of ["unauthenticated", "unavailable"] as const) {
  test(`withCredential() says why there is no credential after the deadline, not before (${code})`, async () => {
    const { credentials, source } = waiting();
    const clock = new FakeClock();
    const work = withCredential(credentials, { clock, timeoutMs: 100 }, () => assert.fail("it ran"));
    const failed = assert.rejects(work, { code: "unauthenticated", message: "Cannot log in" });
    await clock.advance(150);
    source.failure = new LocalizerError(code, "Cannot log in");
    await turns();
    assert.equal(clock.pending, 1);
    await clock.advance(50);
    await failed;
    assert.equal(clock.pending, 0);
  });
}

test("withCredential() ends its wait with the caller's signal", async () => {
  const { credentials } = waiting();
  const clock = new FakeClock();
  const stopping = new AbortController();
  const work = withCredential(credentials, { clock, timeoutMs: 100, signal: stopping.signal }, async () => {});
  stopping.abort();
  await assert.rejects(work, { code: "aborted" });
  assert.equal(clock.pending, 0);
});

test("withCredential() tells the credentials of one that is refused a second time, and does not try again", async () => {
  const given: readonly Credential[] = [{ headers: { n: "1" } }, { headers: { n: "2" } }, { headers: { n: "3" } }];
  const refused: unknown[] = [];
  let asked = 0;
  const credentials: Credentials = {
    current: async () => given[asked++] ?? { headers: {} },
    rejected: (credential) => refused.push(credential) > 0,
  };
  const unknown = new LocalizerError("unauthenticated", "Unauthorized");
  const work = withCredential(credentials, { clock: new FakeClock(), timeoutMs: 100 }, () => Promise.reject(unknown));
  await assert.rejects(work, unknown);
  assert.deepEqual(refused, given.slice(0, 2));
});
