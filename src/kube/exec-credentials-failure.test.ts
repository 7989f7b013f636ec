/** What ExecCredentials shows while a person has to log in, and when the cluster does not take what it got. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { FakePlugin } from "../../test/support/fake-plugin.ts";
import { ExecCredentials } from "./exec-credentials.ts";
import { parseExecPlugin } from "./exec-plugin.ts";

function setup() {
  const clock = new FakeClock();
  const plugin = new FakePlugin();
  const exec = { apiVersion: "client.authentication.k8s.io/v1", command: "login", interactiveMode: "Never" };
  const host = { clock, start: plugin.start, env: {}, hasTerminal: () => false, show: () => {} };
  const parsed = parseExecPlugin("joe", { value: { exec }, folder: "/" }, {});
  const credentials = new ExecCredentials({ host, plugin: parsed }, { userName: "joe", headers: {} });
  const ask = async () => {
    const answer = credentials.current();
    answer.catch(() => {});
    await turns();
    return { answer };
  };
  /** A request: it is refused, and sent again when there may be a better credential; that is refused too. */
  const refusedRequest = async () => {
    const before = plugin.runs.length;
    const { answer } = await ask();
    if (plugin.runs.length > before) plugin.answer(`token ${plugin.runs.length}`);
    if (!credentials.rejected(await answer)) return;
    const runs = plugin.runs.length;
    const second = await ask();
    if (plugin.runs.length > runs) plugin.answer(`token ${plugin.runs.length}`);
    credentials.rejected(await second.answer);
  };
  const failure = () => credentials.failure?.message;
  return { clock, plugin, credentials, ask, refusedRequest, failure };
}

const waiting = 'Cannot log in as "joe": needs login: the plug-in "login" is waiting';
const notAccepted = 'The cluster does not accept the credentials of "joe" (from the plug-in "login")';

test("ExecCredentials says that somebody has to log in while a run lasts, with the plug-in's last words", async () => {
  const t = setup();
  const { answer } = await t.ask();
  await t.clock.advance(2_999);
  assert.equal(t.failure(), undefined);
  await t.clock.advance(1);
  assert.equal(t.failure(), waiting);
  assert.equal(t.credentials.failure?.code, "unauthenticated");
  t.plugin.last.stderr("warning\nopen \u001b[1mhttps://sso.example and enter ABCD\n");
  assert.equal(t.failure(), `${waiting}, see its words: warning / open https://sso.example and enter ABCD`);
  t.plugin.answer("one");
  await answer;
  assert.equal(t.failure(), undefined);
  assert.equal(t.clock.pending, 0);
});

test("ExecCredentials says nothing of a run that renews what still serves", async () => {
  const t = setup();
  const { answer } = await t.ask();
  t.plugin.answer("one", new Date(t.clock.now() + 600_000).toISOString());
  await answer;
  await t.clock.advance(545_000);
  await t.ask();
  assert.equal(t.plugin.runs.length, 2);
  await t.clock.advance(10_000);
  assert.equal(t.failure(), undefined);
  await t.clock.advance(46_000);
  assert.equal(t.failure(), waiting, "it has expired");
  await t.credentials[Symbol.asyncDispose]();
});

test("ExecCredentials says so too when a run after a failure, or after a refusal, waits", async () => {
  const t = setup();
  const first = await t.ask();
  t.plugin.last.end(1);
  await assert.rejects(first.answer);
  await t.clock.advance(5_000);
  const second = await t.ask();
  assert.match(t.failure() ?? "", /ended with exit code 1/);
  await t.clock.advance(3_000);
  assert.equal(t.failure(), waiting);
  t.plugin.answer("one");
  const credential = await second.answer;
  await t.clock.advance(3_600_000);
  assert.equal(t.credentials.rejected(credential), true);
  await t.ask();
  await t.clock.advance(3_000);
  assert.equal(t.failure(), waiting);
  await t.credentials[Symbol.asyncDispose]();
});

test("ExecCredentials is not run in a storm when everything it gives is refused", async () => {
  const t = setup();
  for (let second = 0; second < 3_600; second += 5) {
    await t.refusedRequest();
    assert.equal(t.failure(), notAccepted);
    await t.clock.advance(5_000);
  }
  // 5 s (at least 10), 10, 20, 40, 80, 160 and then every 300.
  assert.ok(t.plugin.runs.length <= 18, `${t.plugin.runs.length} runs in an hour`);
  assert.ok(t.plugin.runs.length >= 12, `${t.plugin.runs.length} runs in an hour`);
});

test("ExecCredentials starts afresh when a credential has served for a minute", async () => {
  const t = setup();
  for (let second = 0; second < 300; second += 5) {
    await t.refusedRequest();
    await t.clock.advance(5_000);
  }
  const { answer } = await t.ask();
  const served = await answer;
  await t.clock.advance(59_999);
  assert.equal(t.failure(), notAccepted);
  await t.clock.advance(1);
  assert.equal(t.failure(), undefined);
  await t.clock.advance(600_000);
  const runs = t.plugin.runs.length;
  assert.equal(t.credentials.rejected(served), true);
  await t.refusedRequest();
  assert.equal(t.plugin.runs.length, runs + 1);
  await t.clock.advance(10_000);
  await t.refusedRequest();
  assert.equal(t.plugin.runs.length, runs + 2, "the first back-off again");
});

test("ExecCredentials calls no credential refused that had served", async () => {
  const t = setup();
  const { answer } = await t.ask();
  t.plugin.answer("one");
  const one = await answer;
  await t.clock.advance(61_000);
  assert.equal(t.credentials.rejected(one), true);
  assert.equal(t.failure(), undefined);
});
