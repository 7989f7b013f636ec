import assert from "node:assert/strict";
import { test } from "node:test";
import { calling, ExposeLab, finished } from "../../test/support/expose-lab.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { kinds } from "../kube/objects.ts";
import { persist } from "./persist.ts";

const away = new LocalizerError("unavailable", "Nobody is there");

/** Work that fails in these ways, one after the other, and then gives how often it ran. */
function failing(...errors: readonly unknown[]) {
  let runs = 0;
  return async () => {
    const error = errors[runs++];
    if (error !== undefined) throw error;
    return runs;
  };
}

function setUp() {
  const clock = new FakeClock();
  const stop = new AbortController();
  const troubles: string[] = [];
  const options = { signal: stop.signal, onTrouble: ({ message }: Error) => troubles.push(message) };
  return { components: { clock, random: () => 1 }, clock, stop, troubles, options };
}

test("persist() gives what the work gives, and waits for nothing when nothing fails", async () => {
  const { components, clock, troubles, options } = setUp();
  assert.equal(await persist(components, options, failing()), 1);
  assert.deepEqual([clock.pending, troubles], [0, []]);
});

test("persist() tries until it works, ever more slowly, and tells of the trouble once", async () => {
  const { components, clock, troubles, options } = setUp();
  const late = new LocalizerError("timeout", "Too late");
  const work = persist(components, options, failing(away, late, away, away, away, away, away));
  for (const ms of [200, 400, 800, 1_600, 3_200, 5_000, 5_000]) {
    assert.equal(await clock.asleep(), ms);
    await clock.advance(ms);
  }
  assert.equal(await work, 8);
  assert.deepEqual(troubles, ["Nobody is there"]);
});

test("persist() fails at once with whatever else is thrown", async () => {
  const { components, clock, options } = setUp();
  for (const code of ["denied", "conflict", "not-found", "internal", "unauthenticated", "expired"] as const) {
    await assert.rejects(persist(components, options, failing(new LocalizerError(code, "No"))), { code });
  }
  assert.equal(clock.pending, 0);
});

test("persist() does not go on after trouble when the next failure is no trouble", async () => {
  const { components, clock, options } = setUp();
  const work = persist(components, options, failing(away, new LocalizerError("denied", "No")));
  await assert.rejects(finished(clock, work), { code: "denied" });
});

test("persist() throws the last failure when its signal fires while it waits", async () => {
  const { components, clock, stop, options } = setUp();
  const work = persist(components, options, failing(new LocalizerError("timeout", "Too late"), away));
  await clock.advance(await clock.asleep());
  await clock.asleep();
  stop.abort();
  await assert.rejects(work, away);
  assert.equal(clock.pending, 0);
});

test("persist() does not begin when its signal has fired", async () => {
  const { components, stop, options } = setUp();
  stop.abort();
  const work = persist(components, options, async () => assert.fail("it has begun"));
  await assert.rejects(work, { code: "aborted" });
});

test("persist() waits for as long as the server asks", async () => {
  await using lab = await ExposeLab.open();
  lab.fail(calling("list", "pods"), { kind: "busy", retryAfterSeconds: 7 });
  const { clock, components } = lab;
  const { signal } = new AbortController();
  const work = persist(components, { signal }, () => lab.objects.list(kinds.pods, {}, signal));
  assert.equal(await clock.asleep(), 7_000);
  await clock.advance(7_000);
  assert.deepEqual(await work, []);
});
