/**
 * Holds the house to its plan (ARCHITECTURE.md): which room may import which, which room may touch which part of
 * the outside world, no loops between files, no file past 300 lines, a comment on every export and room.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { glob } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

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
    "rpc",
    "server",
  ],
  cli: ["model", "rpc"],
  bin: ["model", "helper", "cli"],
};
const shelf = ["errors", "log", "clock", "backoff", "work-queue"];

/** Rooms that a room may load only when it needs them (dynamic import), or as types. */
const lateArrows: Readonly<Record<string, readonly string[]>> = { cli: ["daemon"], bin: ["helper", "cli"] };

/** npm packages and Node's doors to the outside world, and the only rooms that may use them. */
const fences: Readonly<Record<string, readonly string[]>> = {
  yaml: ["kube"],
  tlds: ["daemon"],
  "@bufbuild/protobuf": ["rpc", "server"],
  "@connectrpc/connect": ["rpc", "server"],
  "@connectrpc/connect-node": ["rpc", "server"],
  "node:child_process": ["helper", "kube"],
  "node:http": ["portforward"],
  "node:http2": ["kube", "rpc", "server"],
  "node:tls": ["kube", "portforward"],
  "node:net": ["net", "model", "helper", "kube", "tunnel", "rpc", "server"],
  "node:fs": ["net", "hostsfile", "helper", "kube", "daemon", "cli"],
  "node:os": ["helper", "daemon", "cli"],
  "node:timers": [],
};
/** Node's modules that compute and touch nothing. */
const harmless = new Set(["assert", "buffer", "crypto", "events", "path", "process", "stream", "url", "util", "zlib"]);

interface Import {
  readonly from: string;
  readonly target: string;
  readonly late: boolean;
}

const files = await sourceFiles();
const imports = files.flatMap(importsOf);

test("rooms import only the rooms that their line in the table allows", () => {
  const wrong = imports
    .filter(({ target }) => target.startsWith("."))
    .flatMap(({ from, target, late }) => {
      const here = roomOf(from);
      const path = normalize(join(dirname(from), target));
      const there = roomOf(path);
      if (here === there || (there === "shelf" && here !== "shelf")) return [];
      if (here === "shelf") return shelfRank(path) < shelfRank(from) ? [] : [`${from} -> ${path}`];
      const allowed = late ? [...(arrows[here] ?? []), ...(lateArrows[here] ?? [])] : arrows[here];
      return allowed?.includes(there) ? [] : [`${from} -> ${path}`];
    });
  assert.deepEqual(wrong, []);
});

test("every room stands in the table", () => {
  const rooms = new Set(files.map(roomOf).filter((room) => room !== "shelf"));
  assert.deepEqual(
    [...rooms].filter((room) => !(room in arrows)),
    [],
  );
});

test("outside libraries and Node's doors stay in their rooms", () => {
  const wrong = imports
    .filter(({ target }) => !target.startsWith("."))
    .flatMap(({ from, target }) => {
      const [first = "", second = ""] = target.split("/");
      const name = target.startsWith("@") ? `${first}/${second}` : first;
      if (name.startsWith("node:") && harmless.has(name.slice(5))) return [];
      return fences[name]?.includes(roomOf(from)) ? [] : [`${from} -> ${target}`];
    });
  assert.deepEqual(wrong, []);
});

test("only clock.ts starts timers", () => {
  const wrong = files.filter((file) => file !== "src/clock.ts" && /\bset(Timeout|Interval)\(/.test(codeOf(file)));
  assert.deepEqual(wrong, []);
});

test("files import each other without a loop", () => {
  const graph = new Map<string, string[]>();
  for (const { from, target, late } of imports) {
    if (!target.startsWith(".") || late) continue;
    graph.set(from, [...(graph.get(from) ?? []), normalize(join(dirname(from), target))]);
  }
  assert.deepEqual(files.flatMap((file) => loopFrom(file, graph)).slice(0, 1), []);
});

test("no file is longer than 300 lines", async () => {
  const own: string[] = [...files];
  for await (const file of glob(["test/**/*.ts", "src/**/*.test.ts", "scripts/*.mjs"], { cwd: root })) own.push(file);
  const long = own.filter((file) => text(file).split("\n").length > 301);
  assert.deepEqual(long, []);
});

test("every export has a doc comment, and every file and room says what it is for", () => {
  const wrong = files.flatMap((file) => {
    const lines = text(file).split("\n");
    const first = lines[0]?.startsWith("#!") ? lines[1] : lines[0];
    const head = first?.startsWith("/**") ? [] : [`${file}: no comment at its head`];
    const bare = lines.flatMap((line, index) => {
      if (!/^export (async )?(function|class|const|interface|type|abstract)\b/.test(line)) return [];
      return lines[index - 1]?.trim().endsWith("*/") ? [] : [`${file}:${index + 1}: ${line}`];
    });
    return [...head, ...bare];
  });
  assert.deepEqual(wrong, []);
});

test("names say what a file holds", () => {
  const vague = files.filter((file) => /\/(utils?|helpers|common|types|index|misc)\.ts$/.test(file));
  assert.deepEqual(vague, []);
  assert.deepEqual(
    files.filter((file) => /^export default\b/m.test(text(file))),
    [],
  );
});

async function sourceFiles(): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const file of glob(["src/**/*.ts", "bin/*.ts"], { cwd: root, exclude: ["src/rpc/gen/**"] })) {
    if (!file.endsWith(".test.ts")) found.push(file);
  }
  assert.ok(found.length > 30, "the sources are not where they should be");
  return found.sort();
}

function importsOf(from: string): Import[] {
  const code = codeOf(from);
  const statements = [...code.matchAll(/^(import|export)\s(?:[^;"]*?\sfrom\s)?"([^"]+)"/gm)].map(
    ([line, , target = ""]) => ({
      from,
      target,
      // Types vanish before the program runs.
      late: /^(import|export) type /.test(line) || /^import typeof/.test(line),
    }),
  );
  const dynamic = [...code.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)].map(([, target = ""]) => ({
    from,
    target,
    late: true,
  }));
  return [...statements, ...dynamic];
}

/** The file without its comments. */
function codeOf(file: string): string {
  return text(file)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "");
}

function roomOf(file: string): string {
  const [top = "", second = ""] = file.split("/");
  if (top !== "src") return top;
  return second.endsWith(".ts") ? "shelf" : second;
}

function shelfRank(file: string): number {
  const rank = shelf.indexOf(file.replace(/^src\//, "").replace(/\.ts$/, ""));
  assert.ok(rank >= 0, `${file} is no leaf of the shelf`);
  return rank;
}

function loopFrom(start: string, graph: ReadonlyMap<string, readonly string[]>): string[] {
  const seen = new Set<string>();
  const search = (file: string, path: readonly string[]): string | undefined => {
    for (const next of graph.get(file) ?? []) {
      if (next === start) return [...path, next].join(" -> ");
      if (seen.has(next)) continue;
      seen.add(next);
      const found = search(next, [...path, next]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const loop = search(start, [start]);
  return loop === undefined ? [] : [loop];
}

function text(file: string): string {
  return readFileSync(join(root, file), "utf8");
}
