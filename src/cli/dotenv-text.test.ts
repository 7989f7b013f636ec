import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseEnv } from "node:util";
import fc from "fast-check";
import { readComposeDotenv } from "../../test/support/compose-dotenv.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import type { WorkloadEnvironment } from "../rpc/workload-environment.ts";
import { dotenvText, dotenvValue } from "./dotenv-text.ts";

const certificate = "-----BEGIN CERTIFICATE-----\nMIIB+/=\n-----END CERTIFICATE-----\n";

function environment(values: Readonly<Record<string, string>>): WorkloadEnvironment {
  const variables = Object.entries(values).map(([name, value]) => ({ name, value }));
  return { source: 'Deployment "cart"', container: "app", variables, omitted: [], notices: [] };
}

test("dotenvValue() quotes no more than it must", () => {
  for (const [value, text] of [
    ["", ""],
    ["http://db:5432/a-b_c.d%20,e+f=g@h", "http://db:5432/a-b_c.d%20,e+f=g@h"],
    ["two words", "'two words'"],
    ['{"a": "$b", "c": "\\d"}', '\'{"a": "$b", "c": "\\d"}\''],
    ["a#b", "'a#b'"],
    ["line\nline", "'line\nline'"],
    ["it's", `"it's"`],
    [`it's "$HOME" \\ here`, `"it's \\"\\$HOME\\" \\\\ here"`],
    ["C:\\", `"C:\\\\"`],
    ["a\r\nb", `"a\\r\nb"`],
  ] as const) {
    assert.equal(dotenvValue(value), text);
  }
});

test("dotenvText() says whose environment it is and what is left out, in comments", () => {
  const omitted = [
    { name: "PASSWORD", reason: 'it comes from Secret "db"' },
    { name: "", reason: 'ConfigMap "x": you\nEVIL=1' },
  ];
  const text = dotenvText({ ...environment({ MODE: "fast", "a b": "1" }), omitted });
  assert.deepEqual(text.split("\n"), [
    '# Environment of container "app" of Deployment "cart"',
    "MODE=fast",
    "# a b is left out: no name for a variable in such a file",
    '# PASSWORD is left out: it comes from Secret "db"',
    '# Left out: ConfigMap "x": you EVIL=1',
    "",
  ]);
});

test("dotenvText() is read by Docker Compose as it was, whatever the values are", () => {
  const awkward = fc.string({ unit: fc.constantFrom(..."ab'\"\\$\n\r\t #={}`()\u00e9".split("")), maxLength: 12 });
  const value = fc.oneof(
    awkward,
    fc.string({ unit: "binary" }).filter((text) => !text.includes("\0")),
  );
  const values = fc.dictionary(fc.stringMatching(/^[A-Z_][A-Z0-9_.-]{0,5}$/), value, {
    maxKeys: 4,
    noNullPrototype: true,
  });
  fc.assert(
    fc.property(values, (given) => {
      assert.deepEqual(Object.fromEntries(readComposeDotenv(dotenvText(environment(given)))), { ...given });
    }),
    { numRuns: 2_000 },
  );
});

test("dotenvText() is read alike by Node and by a shell, but for the values that need escapes", () => {
  const given = {
    URL: "http://db:5432/",
    JSON: '{"a": "$b"}',
    CERTIFICATE: certificate,
    WORDS: "a  #b `c` \\d",
    EMPTY: "",
  };
  const text = dotenvText(environment(given));
  assert.deepEqual({ ...parseEnv(text) }, given);
  using folder = temporaryFolder();
  const file = join(folder.path, "env");
  writeFileSync(file, dotenvText(environment({ ...given, QUOTE: `it's "$HOME" \\` })));
  const script = `set -a; . "$0"; exec "${process.execPath}" -p "JSON.stringify(process.env)"`;
  const seen: unknown = JSON.parse(execFileSync("sh", ["-c", script, file], { env: {}, encoding: "utf8" }));
  assert.partialDeepStrictEqual(seen, { ...given, QUOTE: `it's "$HOME" \\` });
});
