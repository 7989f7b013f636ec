/** The rules of the house (ARCHITECTURE.md) as functions: from source files to what is wrong in them. Pure. */
import { dirname, join, normalize } from "node:path";
import { importsIn, type SourceImport, type Token, tokensOf } from "./source-scan.ts";

/** A source, read once for all rules. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly tokens: readonly Token[];
  readonly imports: readonly SourceImport[];
}

/** Which room may do what. */
export interface House {
  /** The leaves that every room may import; each may import those before it. */
  readonly shelf: readonly string[];
  /** Which rooms a room may import, beside the shelf. */
  readonly arrows: Readonly<Record<string, readonly string[]>>;
  /** Rooms that a room may load only when it needs them (dynamic import), or as types. */
  readonly lateArrows: Readonly<Record<string, readonly string[]>>;
  /** Packages and Node's modules, and the only rooms that may import them. */
  readonly fences: Readonly<Record<string, readonly string[]>>;
  /** Node's modules that compute and touch nothing. */
  readonly harmless: ReadonlySet<string>;
  /** Globals that touch the outside world, and the only rooms or files that may name them. */
  readonly globals: Readonly<Record<string, readonly string[]>>;
}

/** What is wrong in the files, a line each. */
export type Rule = (files: readonly SourceFile[], house: House) => readonly string[];

/** Reads a source. */
export function sourceFile(path: string, text: string): SourceFile {
  const tokens = tokensOf(text);
  return { path, text, tokens, imports: importsIn(tokens) };
}

/** Every room stands in the table. */
export const roomsAreKnown: Rule = (files, house) => [
  ...new Set(files.map(({ path }) => roomOf(path)).filter((room) => room !== "shelf" && !(room in house.arrows))),
];

/** What is imported is written as a plain string: else no rule can see it. */
export const importsAreReadable: Rule = (files) =>
  files.flatMap(({ path, imports }) =>
    imports.filter(({ target }) => target === undefined).map(({ line }) => `${path}:${line}: no plain string`),
  );

/** Rooms import only the rooms that their line in the table allows. */
export const arrowsHold: Rule = (files, house) =>
  files.flatMap(({ path, imports }) =>
    imports.flatMap(({ target, when }) => {
      if (!target?.startsWith(".")) return [];
      const here = roomOf(path);
      const goal = normalize(join(dirname(path), target));
      const there = roomOf(goal);
      if (here === there && here !== "shelf") return [];
      if (there === "shelf" && (here !== "shelf" || rankOf(goal, house) < rankOf(path, house))) return [];
      const late = when === "start" ? [] : (house.lateArrows[here] ?? []);
      return [...(house.arrows[here] ?? []), ...late].includes(there) ? [] : [`${path} -> ${goal}`];
    }),
  );

/** Outside libraries and Node's doors stay in their rooms. */
export const fencesHold: Rule = (files, house) =>
  files.flatMap(({ path, imports }) =>
    imports.flatMap(({ target }) => {
      if (target === undefined || target.startsWith(".")) return [];
      const [first = "", second = ""] = target.split("/");
      const name = target.startsWith("@") ? `${first}/${second}` : first;
      if (name.startsWith("node:") && house.harmless.has(name.slice(5))) return [];
      const allowed = house.fences[name] ?? [];
      return allowed.includes(roomOf(path)) || allowed.includes(path) ? [] : [`${path} -> ${target}`];
    }),
  );

/** Globals that touch the outside world are named in their rooms only. A property of that name is none. */
export const globalsAreFenced: Rule = (files, house) =>
  files.flatMap(({ path, tokens }) =>
    tokens.flatMap((token, index) => {
      const name = globalAt(tokens, index);
      const allowed = name !== undefined && Object.hasOwn(house.globals, name) ? house.globals[name] : undefined;
      const isFree = allowed === undefined || allowed.includes(path) || allowed.includes(roomOf(path));
      return isFree ? [] : [`${path}:${token.line}: ${name}`];
    }),
  );

/** Files import each other without a loop; what is loaded late counts not, types do. */
export const noLoops: Rule = (files) => {
  const graph = new Map(
    files.map(({ path, imports }) => [
      path,
      imports.flatMap(({ target, when }) =>
        target?.startsWith(".") && when !== "late" ? [normalize(join(dirname(path), target))] : [],
      ),
    ]),
  );
  return files.flatMap(({ path }) => loopFrom(path, graph)).slice(0, 1);
};

/** No file is longer than 300 lines. */
export const filesAreShort: Rule = (files) =>
  files.filter(({ text }) => text.trimEnd().split("\n").length > 300).map(({ path }) => path);

/** Every file says at its head what it is for (behind a line for the shell, if it has one), and every export has a doc comment. */
export const exportsAreDocumented: Rule = (files) =>
  files.flatMap(({ path, text, tokens }) => [
    ...(/^(#![^\n]*\n(\/\*[^*\n][^\n]*\*\/\n)?)?\/\*\*/.test(text) ? [] : [`${path}: no comment at its head`]),
    ...exportsOf(tokens)
      .filter(({ token }) => !token.documented)
      .map(({ token, what }) => `${path}:${token.line}: ${what}`),
  ]);

/** What is exported says so where it is declared, is named, and never changes. */
export const exportsArePlain: Rule = (files) =>
  files.flatMap(({ path, tokens }) =>
    exportsOf(tokens)
      .filter(({ what }) => /^(type )?[{*=]|^(let|var|default|import)$/.test(what))
      .map(({ token, what }) => `${path}:${token.line}: export ${what}`),
  );

/** Names say what a file holds. */
export const filesAreNamed: Rule = (files) =>
  files.map(({ path }) => path).filter((path) => /\/(utils?|helpers?|common|types|index|misc)\.[mc]?ts$/.test(path));

function roomOf(path: string): string {
  const [top = "", second = ""] = path.split("/");
  if (top !== "src") return top;
  return /\.[mc]?ts$/.test(second) ? "shelf" : second;
}

/** A file that is no leaf of the shelf stands above all: nothing there may import it. */
function rankOf(path: string, house: House): number {
  const rank = house.shelf.indexOf(path.replace(/^src\//, "").replace(/\.ts$/, ""));
  return rank < 0 ? Number.POSITIVE_INFINITY : rank;
}

function loopFrom(start: string, graph: ReadonlyMap<string, readonly string[]>): string[] {
  const seen = new Set<string>();
  const search = (path: string, way: readonly string[]): string | undefined => {
    for (const next of graph.get(path) ?? []) {
      if (next === start) return [...way, next].join(" -> ");
      if (seen.has(next)) continue;
      seen.add(next);
      const found = search(next, [...way, next]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  const loop = search(start, [start]);
  return loop === undefined ? [] : [loop];
}

/** The global that is named here, with its property where only that one counts. */
function globalAt(tokens: readonly Token[], index: number): string | undefined {
  const { kind, text } = tokens[index] ?? {};
  if (kind !== "word") return undefined;
  // Too strong to be had in any form, also as `process.getBuiltinModule`.
  if (text === "getBuiltinModule" || text === "createRequire") return text;
  const before = tokens[index - 1]?.text;
  // `declare global` makes types.
  if (before === "." || (before === "declare" && text === "global")) return undefined;
  if (text !== "process" && text !== "AbortSignal") return text;
  const rest = tokens.slice(index + 1, index + 4).map((token) => token.text);
  if (rest[0] === "?") rest.shift();
  // `process` handed on whole, or read with a computed name, may be asked for anything.
  if (text === "process" && (rest[0] !== "." || rest[1] === "env")) return "process.env";
  return rest[0] === "." ? `${text}.${rest[1]}` : text;
}

/** The `export` words of a source, each with what follows. */
function exportsOf(tokens: readonly Token[]): { token: Token; what: string }[] {
  return tokens.flatMap((token, index) => {
    if (token.kind !== "word" || token.text !== "export" || tokens[index - 1]?.text === ".") return [];
    const [first = "", second = ""] = tokens.slice(index + 1, index + 3).map(({ text }) => text);
    return [{ token, what: first === "type" && "{*".includes(second) ? `type ${second}` : first }];
  });
}
