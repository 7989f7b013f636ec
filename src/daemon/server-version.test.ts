import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { ServerVersion, versionOf } from "./server-version.ts";

/** A server whose answers the test gives. */
function openServer() {
  const clock = new FakeClock();
  const asked: AbortSignal[] = [];
  const server = { answer: (): unknown => ({ gitVersion: "v1.35.0" }) };
  const client = {
    getJson: async (_path: string, { signal }: { readonly signal: AbortSignal }) => {
      asked.push(signal);
      return await server.answer();
    },
  };
  return { clock, asked, server, version: new ServerVersion({ client, clock }, "v1.34.4") };
}

test("ServerVersion asks in the background, by who looks, once a minute at most", async () => {
  const { asked, clock, version } = openServer();
  await clock.advance(59_999);
  assert.equal(version.look(), "v1.34.4");
  assert.equal(asked.length, 0);
  await clock.advance(1);
  assert.equal(version.look(), "v1.34.4");
  await turns();
  assert.equal(version.look(), "v1.35.0");
  assert.equal(asked.length, 1);
  assert.equal(clock.pending, 0);
});

test("ServerVersion keeps what it knows while the server does not answer, and asks again later", async () => {
  const { asked, clock, server, version } = openServer();
  server.answer = () => {
    throw new Error("restarting");
  };
  await clock.advance(60_000);
  version.look();
  await turns();
  assert.equal(version.look(), "v1.34.4");
  server.answer = () => ({ gitVersion: "v1.34.4", gitCommit: "abc" });
  await clock.advance(60_000);
  version.look();
  await turns();
  assert.equal(version.look(), "v1.34.4 abc");
  assert.equal(asked.length, 2);
});

test("ServerVersion's disposing ends the question", async () => {
  const { asked, clock, server, version } = openServer();
  const hanging = Promise.withResolvers<never>();
  server.answer = () => hanging.promise;
  await clock.advance(60_000);
  version.look();
  asked[0]?.addEventListener("abort", () => hanging.reject(new Error("aborted")));
  await version[Symbol.asyncDispose]();
  assert.equal(asked[0]?.aborted, true);
});

test("versionOf() gives the words of a version, and none for anything else", () => {
  assert.equal(versionOf({ gitVersion: "v1.34.4", gitCommit: "abc", major: "1" }), "v1.34.4 abc");
  for (const other of [undefined, null, "v1", [], { gitVersion: 3 }]) assert.equal(versionOf(other), "");
});
