import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { importsIn, tokensOf } from "./source-scan.ts";

const texts = (source: string) => tokensOf(source).map(({ kind, text }) => `${kind}:${text}`);

describe("tokensOf()", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['a("/* no comment */") // b', ["word:a", "sign:(", "string:/* no comment */", "sign:)"]],
    ["a /* 'x' \n */ + 'it\\'s // b'", ["word:a", "sign:+", "string:it\\'s // b"]],
    ['x = /[/*]"/g; y', ["word:x", "sign:=", 'regex:/[/*]"/g', "sign:;", "word:y"]],
    ["a / b / c", ["word:a", "sign:/", "word:b", "sign:/", "word:c"]],
    ["return /'/", ["word:return", "regex:/'/"]],
    [
      `\`/* $ \${a({ b: \`}\` })} // */\` + c`,
      "template:/* $ |word:a|sign:(|sign:{|word:b|sign::|template:}|sign:}|sign:)|template: // */|sign:+|word:c".split(
        "|",
      ),
    ],
    ["#!/usr/bin/env node\nthis.#x", ["word:this", "sign:.", "word:#x"]],
  ];
  for (const [source, want] of cases) {
    it(`reads ${JSON.stringify(source)}`, () => assert.deepEqual(texts(source), want));
  }

  for (const source of ["'open\nnext", '"open', "`open", `\`\${a`, `\`\${\`}\``]) {
    it(`refuses ${JSON.stringify(source)}`, () => assert.throws(() => tokensOf(source), SyntaxError));
  }

  it("knows the line, and whether a doc comment stands right before", () => {
    const tokens = tokensOf(`/** A */\na\n/* B */ b \`\n\${1}\n\` /** C */ /* D */ c '\\\n' d`);
    assert.deepEqual(
      tokens.filter(({ kind }) => kind === "word").map(({ text, line, documented }) => [text, line, documented]),
      [
        ["a", 2, true],
        ["b", 3, false],
        ["1", 4, false],
        ["c", 5, false],
        ["d", 6, false],
      ],
    );
  });
});

describe("importsIn()", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['import { a } from "x"', ["start x"]],
    ["import{a}from\"x\";import b,{type c}from'y'", ["start x", "start y"]],
    ['import "x"; import * as all from "y"', ["start x", "start y"]],
    ['import type { a } from "x"; import type b from "y"', ["type x", "type y"]],
    ['import type from "x"', ["start x"]],
    ['import {\n  a,\n  from,\n} from "x" with { type: "json" }', ["start x"]],
    ["import(\"x\"); import('y', { with: {} })", ["late x", "late y"]],
    ['type A = typeof import("x")', ["type x"]],
    ["import(`x`); import(name); import('x' + y)", ["late undefined", "late undefined", "late undefined"]],
    [`\`\${import('x')}\``, ["late x"]],
    ['export { a } from "x"; export * as b from "y"; export type { c } from "z"', ["start x", "start y", "type z"]],
    ["export { a };\nconst b = 'x'", []],
    ["export { a }\nimport b from 'x'", ["start x"]],
    ["import.meta.url; a.import('x'); ({ import: 1 })", []],
    ['export type A = { from: "x" }; export const from = "y"', []],
    ['// import "x"\n/* import "x" */ "import \'x\'"', []],
  ];
  for (const [source, want] of cases) {
    it(`finds in ${JSON.stringify(source)}`, () => {
      assert.deepEqual(
        importsIn(tokensOf(source)).map(({ when, target }) => `${when} ${target}`),
        want,
      );
    });
  }
});
