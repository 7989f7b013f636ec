import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalizerError } from "../errors.ts";
import { parseKubeconfig } from "./kubeconfig-file.ts";

test("parseKubeconfig() follows anchors and merge keys, of which what stands behind them wins", () => {
  const { users } = parseKubeconfig(
    "/f",
    `
users:
- name: a
  user: &base {token: one, as: jane}
- name: b
  user: {<<: *base, as: joe}
- name: c
  user:
    <<: [{as-uid: "7"}, *base]
- name: d
  user: *base
- name: e
  user: {as: joe, as-uid: "8", <<: *base}
- name: f
  user: {as: joe, <<: *base, token: two, <<: [{as-uid: "9"}, {as-uid: "10"}], as-uid: "11"}
`,
  );
  const values = [...users].map(([name, { value }]) => [name, value]);
  assert.deepEqual(Object.fromEntries(values), {
    a: { token: "one", as: "jane" },
    b: { token: "one", as: "joe" },
    c: { token: "one", as: "jane", "as-uid": "7" },
    d: { token: "one", as: "jane" },
    e: { token: "one", as: "jane", "as-uid": "8" },
    f: { token: "two", as: "jane", "as-uid": "11" },
  });
});

test("parseKubeconfig() takes the booleans of YAML 1.1 where they stand without quotes", () => {
  const words = ["y", "Yes", "YES", "on", "On", "True", "true", "N", "no", "off", "OFF", "False", "'yes'", "yEs"];
  const text = `clusters: [{name: a, cluster: [${words.join(", ")}]}]`;
  assert.deepEqual(parseKubeconfig("/f", text).clusters.get("a")?.value, [
    ...Array(7).fill(true),
    ...Array(5).fill(false),
    "yes",
    "yEs",
  ]);
});

for (const [title, text] of [
  ["an alias to nothing", "a: *secret"],
  ["a merge key with no map", "a: {<<: secret}"],
  ["a bomb of aliases", `a: &a [1,1,1,1,1,1,1,1,1,1]\n${bomb(8)}`],
] as const) {
  test(`parseKubeconfig() throws usage for ${title}, without text of the file`, () => {
    const message =
      'Cannot read the kubeconfig "/f": an alias (*) or merge key (<<) in it leads to nothing, to no map, or to too much';
    assert.throws(
      () => parseKubeconfig("/f", text),
      (error) => error instanceof LocalizerError && error.message === message && error.cause === undefined,
    );
  });
}

function bomb(depth: number): string {
  const names = "abcdefghijklm";
  const lines = Array.from(
    { length: depth },
    (_, i) => `${names[i + 1]}: &${names[i + 1]} [${`*${names[i]},`.repeat(10)}]`,
  );
  return lines.join("\n");
}
