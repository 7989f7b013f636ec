import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ListCutter } from "./list-cutter.ts";

/** Cuts the text in chunks of so many bytes; undefined when it is refused. */
function cut(text: string, chunkBytes: number): { readonly items: unknown[]; readonly rest: unknown } | undefined {
  const cutter = new ListCutter();
  const bytes = Buffer.from(text);
  const items: unknown[] = [];
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    const found = cutter.cut(bytes.subarray(start, start + chunkBytes));
    if (found === undefined) return undefined;
    items.push(...found.map((item): unknown => JSON.parse(String(item))));
  }
  return { items, rest: JSON.parse(String(cutter.rest)) };
}

test("ListCutter finds the items of any list, wherever its chunks end and wherever the list's own members stand", () => {
  const members = fc.dictionary(
    fc.string({ unit: "binary" }).filter((name) => name !== "items" && name !== "__proto__"),
    fc.jsonValue(),
  );
  const item = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue());
  const spaces = fc.constantFrom(undefined, 1, "\t");
  fc.assert(
    fc.property(members, fc.array(item), members, spaces, fc.integer({ min: 1, max: 70 }), (...given) => {
      const [before, items, after, space, chunkBytes] = given;
      const list = { ...before, items, ...after };
      const text = JSON.stringify(list, undefined, space);
      const expected: unknown = JSON.parse(text);
      assert.deepEqual(cut(text, chunkBytes), {
        items: JSON.parse(JSON.stringify(items)),
        rest: { ...Object(expected), items: [] },
      });
    }),
  );
});

test("ListCutter leaves what is no list of items to the parser", () => {
  for (const text of ['{"items":null}', '{"kind":"items","other":[{}]}', '{"deep":{"items":[{}]}}', "[]", '"items"']) {
    assert.deepEqual(cut(text, 4), { items: [], rest: JSON.parse(text) });
  }
  for (const text of ["no", '{"items":[{}', '{"items":[{}]']) assert.throws(() => cut(text, 100), SyntaxError);
});

for (const text of ['{"items":[1]}', '{"items":[{},]}', '{"items":[,{}]}', '{"items":[{}{}]}', '{"items":["a"]}']) {
  test(`ListCutter refuses ${text}`, () => {
    assert.equal(cut(text, 3), undefined);
  });
}
