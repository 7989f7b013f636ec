/**
 * Holds the house to its plan (ARCHITECTURE.md): which room may import which, which room may touch which part of
 * the outside world, no loops between files, no file past 300 lines, a comment on every export and room. What each
 * rule means stands in support/house-rules.ts.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, test } from "node:test";
import * as rules from "./support/house-rules.ts";

const root = join(import.meta.dirname, "..");

/** Which rooms a room may import, beside the shelf. The shelf's own leaves stand in order: each may import those before. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  model: [],
  net: ["model"],
  hostsfile: ["model"],
  helper: ["model", "net", "hostsfile"],
  addresses: ["model"],
  kube: ["model", "net"],
  portforward: ["model", "net", "kube"],
  tunnel: ["model", "net"],
  controller: ["model", "kube", "tunnel", "addresses"],
  ssh: ["model", "net"],
  expose: ["model", "net", "kube", "ssh"],
  rpc: ["model", "net"],
  server: ["model", "rpc"],
  daemon: [
    "model",
    "net",
    "hostsfile",
    "helper",
    "addresses",
    "kube",
    "portforward",
    "tunnel",
    "controller",
    "ssh",
    "expose",
    "rpc",
    "server",
  ],
  client: ["model", "rpc"],
  cli: ["model", "rpc", "client"],
  sandbox: ["model", "net"],
  bin: ["model"],
};
const shelf = ["errors", "log", "clock", "backoff", "work-queue"];

/** Rooms that a room may load only when it needs them (dynamic import), or as types. */
const lateArrows: Readonly<Record<string, readonly string[]>> = { cli: ["daemon"], bin: ["helper", "cli"] };

/** npm packages and Node's doors to the outside world, and the only rooms or files that may use them. */
const fences: Readonly<Record<string, readonly string[]>> = {
  yaml: ["kube"],
  ssh2: ["ssh"],
  tlds: ["daemon"],
  "@bufbuild/protobuf": ["rpc", "server"],
  "@connectrpc/connect": ["rpc", "server"],
  "@connectrpc/connect-node": ["rpc", "server"],
  "node:child_process": ["helper", "src/kube/start-plugin.ts", "src/cli/run-child.ts"],
  "node:http": ["kube", "portforward", "sandbox"],
  "node:http2": ["kube", "rpc", "server", "sandbox"],
  "node:tls": ["kube", "portforward"],
  "node:net": ["net", "model", "helper", "kube", "tunnel", "rpc", "server"],
  "node:fs": ["net", "hostsfile", "helper", "addresses", "kube", "expose", "daemon", "cli"],
  "node:dns": ["daemon"],
  "node:v8": ["daemon", "helper"],
  "node:vm": ["daemon"],
  "node:os": ["helper", "daemon", "client", "cli"],
  "node:timers": [],
};
/** Node's modules that compute and touch nothing. */
const harmless = new Set(["assert", "buffer", "crypto", "events", "path", "process", "stream", "url", "util", "zlib"]);

/** Globals that touch the outside world, and the only rooms or files that may name them. */
const globals: rules.House["globals"] = {
  fetch: [],
  WebSocket: [],
  EventSource: [],
  setTimeout: ["src/clock.ts"],
  setInterval: ["src/clock.ts"],
  // A closed listener answers in the next turn of the loop; no time passes.
  setImmediate: ["src/clock.ts", "src/net/listen.ts"],
  "AbortSignal.timeout": [],
  "process.env": ["helper", "daemon", "client", "cli", "bin"],
  globalThis: [],
  global: [],
  require: [],
  createRequire: [],
  getBuiltinModule: [],
  eval: [],
};

const house: rules.House = { shelf, arrows, lateArrows, fences, harmless, globals };

/** Each rule by what it promises, with sources that break it: path, text, what must be found. */
const table: readonly (readonly [
  promise: string,
  rule: rules.Rule,
  breaches: readonly (readonly [sources: Readonly<Record<string, string>>, finding: string])[],
])[] = [
  ["every room stands in the table", rules.roomsAreKnown, [[{ "src/attic/a.ts": "" }, "attic"]]],
  [
    "what is imported is written as a plain string",
    rules.importsAreReadable,
    [
      [{ "src/cli/a.ts": "import(`../net/listen.ts`)" }, "src/cli/a.ts:1: no plain string"],
      [{ "src/cli/a.ts": "\nawait import(path)" }, "src/cli/a.ts:2: no plain string"],
      [{ "src/cli/a.ts": 'import("../" + room)' }, "src/cli/a.ts:1: no plain string"],
    ],
  ],
  [
    "rooms import only the rooms that their line in the table allows",
    rules.arrowsHold,
    [
      ...[
        'import { a } from "../net/b.ts"',
        'import{a}from"../net/b.ts"',
        "import '../net/b.ts'",
        'import a from "../errors.ts"; import b from "../net/b.ts"',
        'import type { A } from "../net/b.ts"',
        'type A = typeof import("../net/b.ts")',
        'export * from "../net/b.ts"',
        'const text = "/*"; import("../net/b.ts"); "*/"',
        'import("../net/b.ts", { with: {} })',
        "import('../net/b.ts')",
      ].map((text) => [{ "src/cli/a.ts": text }, "src/cli/a.ts -> src/net/b.ts"] as const),
      [{ "src/cli/a.mts": 'import "../net/b.cts"' }, "src/cli/a.mts -> src/net/b.cts"],
      [{ "src/cli/a.ts": 'import "../daemon/daemon.ts"' }, "src/cli/a.ts -> src/daemon/daemon.ts"],
      [{ "bin/a.ts": 'import "../src/cli/main.ts"' }, "bin/a.ts -> src/cli/main.ts"],
      [{ "bin/a.ts": 'import "../src/helper/user.ts"' }, "bin/a.ts -> src/helper/user.ts"],
      [{ "bin/a.ts": 'import("../src/daemon/daemon.ts")' }, "bin/a.ts -> src/daemon/daemon.ts"],
      [{ "src/errors.ts": 'import "./log.ts"' }, "src/errors.ts -> src/log.ts"],
      [{ "src/log.ts": 'import "./attic.ts"' }, "src/log.ts -> src/attic.ts"],
      [{ "src/log.ts": 'import "./model/port.ts"' }, "src/log.ts -> src/model/port.ts"],
      [{ "src/model/a.ts": 'import "../../test/b.ts"' }, "src/model/a.ts -> test/b.ts"],
    ],
  ],
  [
    "outside libraries and Node's doors stay in their rooms",
    rules.fencesHold,
    [
      [{ "src/cli/a.ts": 'import { a } from "yaml"' }, "src/cli/a.ts -> yaml"],
      [{ "src/cli/a.ts": 'import type { Socket } from "node:net"' }, "src/cli/a.ts -> node:net"],
      [{ "src/cli/a.ts": 'import("@connectrpc/connect/protocol")' }, "src/cli/a.ts -> @connectrpc/connect/protocol"],
      [{ "src/clock.ts": 'import "node:timers/promises"' }, "src/clock.ts -> node:timers/promises"],
      [{ "src/kube/a.ts": 'import "node:module"' }, "src/kube/a.ts -> node:module"],
      [{ "src/kube/a.ts": 'import "node:child_process"' }, "src/kube/a.ts -> node:child_process"],
    ],
  ],
  [
    "globals that touch the outside world are named in their rooms only",
    rules.globalsAreFenced,
    [
      ...[
        ["fetch", "await fetch(url)"],
        ["setTimeout", "const later = setTimeout"],
        ["setInterval", "setInterval(run, 1)"],
        ["setImmediate", "setImmediate(run)"],
        ["AbortSignal.timeout", "AbortSignal.timeout(5)"],
        ["process.env", "process.env.HOME"],
        ["process.env", "process?.env"],
        ["process.env", "const { env } = process;"],
        ["process.env", 'process["env"]'],
        ["globalThis", "globalThis.setTimeout(run)"],
        ["require", 'require("node:net")'],
        ["createRequire", "module.createRequire(here)"],
        ["getBuiltinModule", 'process.getBuiltinModule("net")'],
      ].map(([name, text = ""]) => [{ "src/tunnel/a.ts": text }, `src/tunnel/a.ts:1: ${name}`] as const),
      [{ "src/tunnel/a.ts": `\`\${fetch("x")}\`` }, "src/tunnel/a.ts:1: fetch"],
      [{ "src/net/dial.ts": "setImmediate(run)" }, "src/net/dial.ts:1: setImmediate"],
    ],
  ],
  [
    "files import each other without a loop",
    rules.noLoops,
    [
      [{ "src/a.ts": 'import "./a.ts"' }, "src/a.ts -> src/a.ts"],
      [
        { "src/cli/a.ts": 'import "./b.ts"', "src/cli/b.ts": 'import type { A } from "./a.ts"' },
        "src/cli/a.ts -> src/cli/b.ts -> src/cli/a.ts",
      ],
    ],
  ],
  [
    "every export has a doc comment, and every file says what it is for",
    rules.exportsAreDocumented,
    [
      [{ "src/a.ts": "// none" }, "src/a.ts: no comment at its head"],
      ...["const a = 1", "async function a() {}", "abstract class A {}", "declare const a: 1", "{ a }"].map(
        (text) => [{ "src/a.ts": `/** A */\n\nlet b;\nexport ${text}` }, `src/a.ts:4: ${text.split(" ")[0]}`] as const,
      ),
    ],
  ],
  [
    "what is exported says so where it is declared, is named, and never changes",
    rules.exportsArePlain,
    [
      [{ "src/a.ts": "export { a }" }, "src/a.ts:1: export {"],
      [{ "src/a.ts": 'export{a}from"./b.ts"' }, "src/a.ts:1: export {"],
      [{ "src/a.ts": 'export * from "./b.ts"' }, "src/a.ts:1: export *"],
      [{ "src/a.ts": 'export type { A } from "./b.ts"' }, "src/a.ts:1: export type {"],
      [{ "src/a.ts": "export let a = 1" }, "src/a.ts:1: export let"],
      [{ "src/a.ts": "/** A */ export default 1" }, "src/a.ts:1: export default"],
    ],
  ],
  [
    "no file is longer than 300 lines",
    rules.filesAreShort,
    [[{ "src/a.ts": "a\n".repeat(301), "src/b.ts": "b\n".repeat(300) }, "src/a.ts"]],
  ],
  ["names say what a file holds", rules.filesAreNamed, [[{ "src/cli/utils.ts": "" }, "src/cli/utils.ts"]]],
];

const tests = ["src/**/*.test.{ts,mts,cts}", "test/**/*.{ts,mts,cts}", "scripts/*.{mjs,ts}"];
const sources = (await read(["{src,bin}/**/*.{ts,mts,cts}"])).filter(({ path }) => !/\.test\.[mc]?ts$/.test(path));
assert.ok(sources.length > 30, "the sources are not where they should be");

for (const [promise, rule, breaches] of table) {
  describe(promise, () => {
    it("in the sources", () => assert.deepEqual(rule(sources, house), []));
    for (const [texts, finding] of breaches) {
      it(`and would be found: ${JSON.stringify(texts).slice(0, 90)}`, () => {
        const files = Object.entries(texts).map(([path, text]) => rules.sourceFile(path, text));
        assert.equal(rule(files, house)[0], finding);
      });
    }
  });
}

test("no test is longer than 300 lines", async () => {
  assert.deepEqual(rules.filesAreShort(await read(tests), house), []);
});

test("what the house allows is not found", () => {
  const text = `
    /** A */
    import type { Daemon } from "../daemon/daemon.ts";
    const { runDaemon } = await import("../daemon/daemon.ts");
    socket.setTimeout(5); clock?.fetch(); process.exitCode = 1; process?.on("exit", f); AbortSignal.any([]);
    // fetch("x"), export let a
    const note = "export * from '../net/b.ts'; process.env";`;
  const files = [rules.sourceFile("src/cli/a.ts", text.trimStart())];
  for (const [promise, rule] of table) assert.deepEqual(rule(files, house), [], promise);
});

async function read(patterns: readonly string[]): Promise<readonly rules.SourceFile[]> {
  const paths = await Array.fromAsync(glob(patterns, { cwd: root, exclude: ["src/rpc/gen/**"] }));
  return paths.sort().map((path) => rules.sourceFile(path, readFileSync(join(root, path), "utf8")));
}
