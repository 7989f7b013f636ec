import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { type ErrorCode, LocalizerError } from "../errors.ts";
import { Logger } from "../log.ts";
import { NamedNamespaces } from "./named-namespaces.ts";

function look(answers: Record<string, ErrorCode | undefined>) {
  const clock = new FakeClock();
  const warned: unknown[] = [];
  const asked: string[] = [];
  const log = new Logger(({ fields }) => warned.push(fields.namespace));
  const client = {
    async getJson(path: string) {
      asked.push(path);
      const code = answers[path.slice("/api/v1/namespaces/".length)];
      if (code !== undefined) throw new LocalizerError(code, "No");
    },
  };
  return { clock, warned, asked, named: new NamedNamespaces({ client, clock, log }, Object.keys(answers)) };
}

test("NamedNamespaces says which does not exist, once in the log, until it does", async () => {
  const answers: Record<string, ErrorCode | undefined> = { shop: undefined, shpo: "not-found" };
  const { clock, warned, asked, named } = look(answers);
  await using _named = named;
  await turns();
  assert.deepEqual([named.notices, warned], [['There is no namespace "shpo" in this cluster'], ["shpo"]]);
  await clock.advance(60_000);
  await turns();
  assert.deepEqual([named.notices.length, warned.length, asked.length], [1, 1, 3]);
  answers.shpo = undefined;
  await clock.advance(60_000);
  await turns();
  assert.deepEqual([named.notices, clock.pending], [[], 0]);
});

test("NamedNamespaces says nothing where it may not ask", async () => {
  const { clock, warned, named } = look({ shop: "denied", bank: "unavailable" });
  await using _named = named;
  await turns();
  assert.deepEqual([named.notices, warned, clock.pending], [[], [], 0]);
});
