import assert from "node:assert/strict";
import { test } from "node:test";
import { LineFeed } from "./line-feed.ts";
import type { ExposeLine, Report } from "./report.ts";

function line(message: string): ExposeLine {
  return { level: "info", step: "pod", message };
}

/** Work that a test ends by hand. */
function handWork() {
  const begun = Promise.withResolvers<Report>();
  const end = Promise.withResolvers<void>();
  const work = async (report: Report) => {
    begun.resolve(report);
    await end.promise;
  };
  return { work, begun: begun.promise, end: end.resolve, fail: end.reject };
}

async function messagesOf(feed: LineFeed): Promise<readonly string[]> {
  return (await Array.fromAsync(feed)).map(({ message }) => message);
}

test("LineFeed gives lines as they are reported, and ends with the work", async () => {
  const feed = new LineFeed();
  const { work, begun, end } = handWork();
  const followed = feed.follow(work);
  const report = await begun;
  const reader = feed[Symbol.asyncIterator]();
  const first = reader.next();
  report(line("one"));
  assert.deepEqual(await first, { done: false, value: line("one") });
  report(line("two"));
  report(line("three"));
  assert.deepEqual((await reader.next()).value, line("two"));
  assert.deepEqual((await reader.next()).value, line("three"));
  const last = reader.next();
  end();
  assert.deepEqual(await last, { done: true, value: undefined });
  await followed;
});

test("LineFeed keeps all lines for one who reads late, also after the end", async () => {
  const feed = new LineFeed();
  await feed.follow(async (report) => {
    report(line("one"));
    report(line("two"));
  });
  assert.deepEqual(await messagesOf(feed), ["one", "two"]);
});

test("LineFeed throws what the work has thrown, after the last line", async () => {
  const feed = new LineFeed();
  await feed.follow(async (report) => {
    report(line("one"));
    throw new Error("broken");
  });
  const reader = feed[Symbol.asyncIterator]();
  assert.deepEqual((await reader.next()).value, line("one"));
  await assert.rejects(reader.next(), { message: "broken" });
});

test("LineFeed throws even when nothing was thrown but undefined", async () => {
  const feed = new LineFeed();
  await feed.follow(() => Promise.reject(undefined));
  await assert.rejects(messagesOf(feed), (thrown) => thrown === undefined);
});

test("LineFeed.follow() never rejects, also when the work fails before it is read", async () => {
  const feed = new LineFeed();
  const { work, fail } = handWork();
  const followed = feed.follow(work);
  fail(new Error("broken"));
  assert.equal(await followed, undefined);
});

test("LineFeed goes on with the work when its reader leaves", async () => {
  const feed = new LineFeed();
  const { work, begun, end } = handWork();
  const followed = feed.follow(work);
  const report = await begun;
  report(line("one"));
  for await (const { message } of feed) {
    assert.equal(message, "one");
    break;
  }
  report(line("two"));
  end();
  await followed;
  assert.deepEqual(await messagesOf(feed), ["two"]);
});
