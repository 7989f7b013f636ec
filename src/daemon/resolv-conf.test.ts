import assert from "node:assert/strict";
import { test } from "node:test";
import { searchDomains } from "./resolv-conf.ts";

const table: readonly (readonly [title: string, text: string, domains: readonly string[]])[] = [
  ["the domains of search, in order", "nameserver 1.1.1.1\nsearch corp.example  lan\n", ["corp.example", "lan"]],
  ["the last line that counts", "search a.example\ndomain b.example c.example\n", ["b.example"]],
  ["lower case without final dots", "\tsearch Corp.Example. LAN.\r\n", ["corp.example", "lan"]],
  ["each domain once", "search lan lan LAN", ["lan"]],
  ["no root and nothing that is no name", "search . -x.example $HOME a..b lan", ["lan"]],
  ["nothing from an empty search line", "search", []],
  ["nothing from comments", "#search a.example\n; search b.example\nsearching c.example", []],
];

for (const [title, text, domains] of table) {
  test(`searchDomains() gives ${title}`, () => {
    assert.deepEqual(searchDomains(text, { hostname: "laptop" }), domains);
  });
}

test("searchDomains() gives the machine's own domain where the file names none, and $LOCALDOMAIN before all", () => {
  const hostname = "laptop.berlin.example";
  assert.deepEqual(searchDomains("", { hostname }), ["berlin.example"]);
  assert.deepEqual(searchDomains("search lan", { hostname }), ["lan"]);
  assert.deepEqual(searchDomains("search lan", { hostname, localDomain: "a.example b.example" }), [
    "a.example",
    "b.example",
  ]);
});
