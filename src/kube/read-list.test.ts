import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import type { ApiAnswer } from "./api-stream.ts";
import { readList } from "./read-list.ts";

const action = "Cannot get /api";

function answerOf(bytes: Buffer, gzip: boolean): ApiAnswer {
  return {
    head: Promise.resolve({ status: 200, retryAfter: undefined, gzip }),
    async *bytes() {
      yield bytes;
    },
    [Symbol.dispose]() {},
  };
}

function listOf(count: number): Buffer {
  const items = Array.from({ length: count }, (_, index) => ({ index, text: "x".repeat(100) }));
  return Buffer.from(JSON.stringify({ metadata: { resourceVersion: "7" }, items }));
}

for (const gzip of [true, false]) {
  const name = gzip ? "gzipped" : "plain";
  const packed = (bytes: Buffer) => (gzip ? gzipSync(bytes) : bytes);

  test(`readList() reads each item of a ${name} list, and lets others have their turn`, async () => {
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const { list, items } = await readList(answerOf(packed(listOf(5_000)), gzip), action, (item) => {
      return Reflect.get(Object(item), "index");
    });
    isOver = true;
    assert.deepEqual(list, { metadata: { resourceVersion: "7" }, items: [] });
    assert.deepEqual(
      items,
      Array.from({ length: 5_000 }).map((_, index) => index),
    );
    assert.ok(turns > 10, `${turns} turns`);
  });

  test(`readList() throws unavailable for a ${name} body that is no list, no JSON or too large`, async () => {
    const read = (text: string) => readList(answerOf(packed(Buffer.from(text)), gzip), action, (item) => item);
    await assert.rejects(read('{"items":[1]}'), { code: "unavailable", message: `${action}: the answer is no list` });
    for (const text of ["<html>", '{"items":[{]]}', '{"items":[{}']) {
      await assert.rejects(read(text), { code: "unavailable", message: `${action}: the answer is no JSON` });
    }
    const large = answerOf(packed(listOf(1_000)), gzip);
    const message = `${action}: the answer is larger than 1000 bytes`;
    await assert.rejects(
      readList(large, action, (item) => item, 1_000),
      { code: "unavailable", message },
    );
  });
}

test("readList() throws unavailable for bytes that are no gzip, and for gzip that is cut off", async () => {
  for (const bytes of [Buffer.from("list"), gzipSync(listOf(10)).subarray(0, -10)]) {
    await assert.rejects(
      readList(answerOf(bytes, true), action, (item) => item),
      {
        code: "unavailable",
        message: `${action}: the answer cannot be unzipped`,
      },
    );
  }
});
