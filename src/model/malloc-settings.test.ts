import assert from "node:assert/strict";
import { test } from "node:test";
import { mallocWords, withMallocSettings, withoutMallocSettings } from "./malloc-settings.ts";

test("withoutMallocSettings() gives the environment as it was before withMallocSettings()", () => {
  const env = { PATH: "/bin", MALLOC_ARENA_MAX: "8" };
  const started = withMallocSettings(env);
  assert.deepEqual(started, { ...env, MALLOC_TRIM_THRESHOLD_: "1048576" });
  assert.deepEqual(withoutMallocSettings(started), env);
});

test("mallocWords says the same as withMallocSettings()", () => {
  assert.deepEqual(Object.fromEntries(mallocWords.map((word) => word.split("="))), withMallocSettings({}));
});
