import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalizerError } from "../errors.ts";
import { watchCredentials } from "./credential-changes.ts";

const one = { headers: { authorization: "Bearer one" } };
const two = { headers: { authorization: "Bearer two" } };

test("watchCredentials() calls back for every credential that is another than the one before", async () => {
  const given = [one, one, two, two, one];
  let changes = 0;
  const watched = watchCredentials(
    { current: async () => given.shift() ?? one, rejected: () => false },
    () => changes++,
  );
  const seen: number[] = [];
  for (let i = 0; i < 5; i++) {
    await watched.current();
    seen.push(changes);
  }
  assert.deepEqual(seen, [0, 0, 1, 1, 2]);
});

test("watchCredentials() passes on what was rejected, the failure, and errors", async () => {
  const failure = new LocalizerError("unauthenticated", "needs login");
  const watched = watchCredentials(
    { current: () => Promise.reject(failure), rejected: (credential) => credential === one, failure },
    () => assert.fail("nothing has changed"),
  );
  assert.equal(watched.rejected(one), true);
  assert.equal(watched.rejected(two), false);
  assert.equal(watched.failure, failure);
  await assert.rejects(watched.current(), failure);
});
