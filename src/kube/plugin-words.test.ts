import assert from "node:assert/strict";
import { test } from "node:test";
import { lastWords, TextEnd } from "./plugin-words.ts";

test("TextEnd keeps the end of what came in pieces", () => {
  const end = new TextEnd(4);
  for (const piece of ["ab", "cd", "", "ef"]) end.add(Buffer.from(piece));
  assert.equal(end.text, "cdef");
  assert.equal(end.length, 4);
});

test("lastWords() joins the last three lines that say something, harmless and short", () => {
  assert.equal(lastWords(""), "");
  assert.equal(lastWords(" \n\u001b[2J\n"), "");
  assert.equal(lastWords("a\nb\r\n\nc\n\u001b[31md\u0007\n"), "b / c / d");
  assert.equal(lastWords("x".repeat(500)), `…${"x".repeat(400)}`);
});
