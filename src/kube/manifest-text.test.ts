import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAllDocuments } from "yaml";
import { manifestText } from "./manifest-text.ts";

test("manifestText() puts a comment before a document for each object", () => {
  assert.equal(
    manifestText(["What", "", "it is"], [{ a: [1] }, { b: "c" }]),
    "# What\n#\n# it is\n---\na:\n  - 1\n---\nb: c\n",
  );
});

test("manifestText() is read as it was meant by readers of YAML 1.1 and 1.2", () => {
  const shared = { text: "x" };
  const object = {
    words: ["on", "no", "1e3", "12:30", "1_0", "null", "", "a: b", "*", "--x=1"],
    shared,
    again: shared,
  };
  const text = manifestText([], [object, { long: `${"word ".repeat(60)}end` }]);
  assert.ok(!/[&*]a1/.test(text), "kubectl edit shows no anchors");
  for (const version of ["1.1", "1.2"] as const) {
    const [first, second] = parseAllDocuments(text, { version }).map((document) => document.toJS());
    assert.deepEqual([first, second], [object, { long: `${"word ".repeat(60)}end` }]);
  }
});
