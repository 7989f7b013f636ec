import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { FakePlugin } from "../../test/support/fake-plugin.ts";
import { LocalizerError } from "../errors.ts";
import { ExecCredentials } from "./exec-credentials.ts";
import { parseExecPlugin } from "./exec-plugin.ts";

const v1 = "client.authentication.k8s.io/v1";

function setup(plugin = new FakePlugin()) {
  const clock = new FakeClock();
  const exec = { apiVersion: v1, command: "login", interactiveMode: "Never" };
  const host = { clock, start: plugin.start, env: {}, hasTerminal: () => false, show: () => {} };
  const user = { value: { exec }, folder: "/" };
  const options = { userName: "joe", headers: { "impersonate-user": "jane" } };
  const credentials = new ExecCredentials({ host, plugin: parseExecPlugin("joe", user, {}) }, options);
  /** The time in so many seconds, as a plug-in writes it. */
  const after = (seconds: number) => new Date(clock.now() + seconds * 1000).toISOString();
  const tokenOf = async () => (await credentials.current()).headers.authorization;
  return { clock, plugin, credentials, after, tokenOf };
}

/** Asks for the credential, and lets the run start. */
async function asking(t: ReturnType<typeof setup>, signal?: AbortSignal) {
  const answer = t.credentials.current(signal);
  answer.catch(() => {});
  await turns();
  return { answer };
}

function code(wanted: string, sentence?: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof LocalizerError);
    assert.equal(error.code, wanted);
    if (sentence !== undefined) assert.match(error.message, sentence);
    return true;
  };
}

test("ExecCredentials runs the plug-in once for all who ask, and keeps the answer", async () => {
  const t = setup();
  const [first, second] = [await asking(t), await asking(t)];
  assert.equal(t.plugin.runs.length, 1);
  t.plugin.answer("one");
  const credential = await first.answer;
  assert.deepEqual(credential.headers, { "impersonate-user": "jane", authorization: "Bearer one" });
  assert.equal(await second.answer, credential);
  await t.clock.advance(3_600_000);
  assert.equal(await t.credentials.current(), credential);
  assert.equal(t.plugin.runs.length, 1);
  assert.equal(t.credentials.failure, undefined);
});

test("ExecCredentials renews in the last minute while the old credential serves", async () => {
  const t = setup();
  const { answer } = await asking(t);
  t.plugin.answer("one", t.after(3600));
  await answer;
  await t.clock.advance(3_539_000);
  assert.equal(await t.tokenOf(), "Bearer one");
  assert.equal(t.plugin.runs.length, 1);
  await t.clock.advance(2_000);
  assert.equal(await t.tokenOf(), "Bearer one");
  assert.equal(await t.tokenOf(), "Bearer one");
  await turns();
  assert.equal(t.plugin.runs.length, 2);
  t.plugin.answer("two", t.after(3600));
  await turns();
  assert.equal(await t.tokenOf(), "Bearer two");
  assert.equal(t.clock.pending, 0);
});

test("ExecCredentials keeps the old credential when a renewal fails, shows it, and waits when it has expired", async () => {
  const t = setup();
  const { answer } = await asking(t);
  t.plugin.answer("one", t.after(600));
  await answer;
  await t.clock.advance(550_000);
  assert.equal(await t.tokenOf(), "Bearer one");
  await turns();
  t.plugin.last.end(1);
  await turns();
  assert.equal(await t.tokenOf(), "Bearer one");
  assert.equal(t.credentials.failure?.code, "unauthenticated");
  await t.clock.advance(51_000);
  const late = await asking(t);
  assert.equal(t.plugin.runs.length, 3);
  t.plugin.answer("two");
  assert.equal((await late.answer).headers.authorization, "Bearer two");
  assert.equal(t.credentials.failure, undefined);
});

test("ExecCredentials does not run again for a credential that has expired already", async () => {
  const t = setup();
  const { answer } = await asking(t);
  t.plugin.answer("old", t.after(-5));
  assert.equal((await answer).headers.authorization, "Bearer old");
  for (let call = 0; call < 5; call++) assert.equal(await t.tokenOf(), "Bearer old");
  assert.equal(t.plugin.runs.length, 1);
  await t.clock.advance(10_000);
  const { answer: next } = await asking(t);
  assert.equal(t.plugin.runs.length, 2);
  t.plugin.answer("old", t.after(-15));
  await next;
});

test("ExecCredentials runs again after a rejection, at most once in 10 s", async () => {
  const t = setup();
  const { answer } = await asking(t);
  t.plugin.answer("one");
  const one = await answer;
  assert.equal(t.credentials.rejected(one), false);
  await t.clock.advance(10_000);
  assert.equal(t.credentials.rejected(one), true);
  assert.equal(t.credentials.rejected(one), true);
  const { answer: next } = await asking(t);
  t.plugin.answer("two");
  const two = await next;
  assert.equal(two.headers.authorization, "Bearer two");
  assert.equal(t.credentials.rejected(one), true, "there is a better one");
  assert.equal(t.credentials.rejected(two), false, "too early");
  assert.equal(t.plugin.runs.length, 2);
});

test("ExecCredentials keeps the object when the plug-in gives the same again", async () => {
  const t = setup();
  const { answer } = await asking(t);
  t.plugin.answer("one");
  const one = await answer;
  await t.clock.advance(60_000);
  assert.equal(t.credentials.rejected(one), true);
  const { answer: next } = await asking(t);
  t.plugin.answer("one");
  assert.equal(await next, one);
});

test("ExecCredentials throws the same failure without a run until its back-off is over: 5 s, doubling to 5 min", async () => {
  const t = setup();
  const waits: number[] = [];
  for (let failure = 0; failure < 9; failure++) {
    const { answer } = await asking(t);
    t.plugin.last.stderr("no session\n");
    t.plugin.last.end(1);
    await assert.rejects(answer, code("unauthenticated", /^Cannot log in as "joe": needs login: "login" ended with /));
    assert.equal(t.plugin.runs.length, failure + 1);
    let waited = 0;
    while (waited < Math.min(300, 5 * 2 ** failure)) {
      const thrown: unknown = await t.credentials.current().catch((error: unknown) => error);
      assert.equal(thrown, t.credentials.failure);
      await t.clock.advance(1_000);
      waited++;
    }
    waits.push(waited);
    assert.equal(t.plugin.runs.length, failure + 1);
  }
  assert.deepEqual(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
  const { answer } = await asking(t);
  t.plugin.answer("at last");
  await answer;
  assert.equal(t.credentials.failure, undefined);
});

test("ExecCredentials goes on for the others when one who waits leaves", async () => {
  const t = setup();
  const leaver = new AbortController();
  const [first, second] = [await asking(t, leaver.signal), await asking(t)];
  leaver.abort();
  await assert.rejects(first.answer, code("aborted"));
  assert.deepEqual(t.plugin.last.kills, []);
  t.plugin.answer("one");
  assert.equal((await second.answer).headers.authorization, "Bearer one");
});

test("ExecCredentials ends the run 2 min after the last one left, and starts the next 10 s later", async () => {
  const t = setup(new FakePlugin({ obeys: false }));
  const leaver = new AbortController();
  const { answer } = await asking(t, leaver.signal);
  leaver.abort();
  await assert.rejects(answer, code("aborted"));
  await t.clock.advance(119_999);
  assert.deepEqual(t.plugin.last.kills, []);
  await t.clock.advance(1);
  assert.deepEqual(t.plugin.last.kills, ["SIGTERM"]);
  const { answer: next } = await asking(t);
  assert.equal(t.plugin.runs.length, 1, "one at a time");
  await t.clock.advance(2_000);
  assert.deepEqual(t.plugin.last.kills, ["SIGTERM", "SIGKILL"]);
  await t.clock.advance(9_999);
  assert.equal(t.plugin.runs.length, 1, "no storm");
  await t.clock.advance(1);
  await turns();
  assert.equal(t.plugin.runs.length, 2);
  assert.equal(t.credentials.failure, undefined);
  t.plugin.answer("one");
  await next;
  assert.equal(t.clock.pending, 0);
});

test("ExecCredentials needs one run for callers that come and go with short deadlines", async () => {
  const t = setup();
  for (let call = 0; call < 10; call++) {
    const deadline = new AbortController();
    const { answer } = await asking(t, deadline.signal);
    await t.clock.advance(5_000);
    deadline.abort();
    await assert.rejects(answer, code("aborted"));
  }
  assert.equal(t.plugin.runs.length, 1);
  t.plugin.answer("one");
  await turns();
  assert.equal(await t.tokenOf(), "Bearer one");
  assert.equal(t.clock.pending, 0);
});

test("ExecCredentials ends a run, and all who wait, when disposed", async () => {
  const t = setup();
  const { answer } = await asking(t);
  await t.credentials[Symbol.asyncDispose]();
  assert.deepEqual(t.plugin.last.kills, ["SIGTERM"]);
  await assert.rejects(answer, code("aborted"));
  await assert.rejects(t.credentials.current(), code("aborted"));
  assert.equal(t.clock.pending, 0);
});

test("ExecCredentials ends a renewal when disposed", async () => {
  const t = setup();
  const { answer } = await asking(t);
  t.plugin.answer("one", t.after(100));
  await answer;
  await t.clock.advance(95_000);
  await t.credentials.current();
  await turns();
  assert.equal(t.plugin.runs.length, 2);
  await t.credentials[Symbol.asyncDispose]();
  assert.deepEqual(t.plugin.last.kills, ["SIGTERM"]);
});
