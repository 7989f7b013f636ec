import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { readBody } from "./api-stream.ts";

/** An answer with this body. */
function answerOf(body: Buffer, gzip: boolean) {
  return {
    head: Promise.resolve({ status: 200, retryAfter: undefined, gzip }),
    async *bytes() {
      yield body;
    },
    [Symbol.dispose]() {},
  };
}

test("readBody() unzips", async () => {
  assert.equal(String(await readBody(answerOf(gzipSync("list"), true), "Cannot get /")), "list");
});

test("readBody() throws unavailable for bytes that are no gzip, and for gzip that is cut off", async () => {
  for (const bytes of [Buffer.from("<html>"), gzipSync("a list that is cut off").subarray(0, -9)]) {
    await assert.rejects(readBody(answerOf(bytes, true), "Cannot get /api"), {
      code: "unavailable",
      message: "Cannot get /api: the answer cannot be unzipped",
    });
  }
});

test("readBody() throws unavailable for a body that is too large, zipped or not", async () => {
  const body = Buffer.alloc(100_001);
  for (const answer of [answerOf(body, false), answerOf(gzipSync(body), true)]) {
    await assert.rejects(readBody(answer, "Cannot get /api", 100_000), {
      code: "unavailable",
      message: "Cannot get /api: the answer is larger than 100000 bytes",
    });
  }
});
