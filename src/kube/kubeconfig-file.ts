/** A kubeconfig file as it stands: YAML into named entries, nothing resolved yet. */
import { dirname, isAbsolute, join } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { LocalizerError } from "../errors.ts";
import { at, listAt } from "./json.ts";
import { oldBoolean, orderMergeKeys } from "./kubeconfig-yaml.ts";

/** A cluster, user or context of the file, unread, with the folder that its relative paths start from. */
export interface KubeconfigEntry {
  readonly value: unknown;
  readonly folder: string;
}

/** The parts of a kubeconfig by name. */
export interface KubeconfigFile {
  /** The file, quoted, for sentences; several of them when it was merged. */
  readonly place: string;
  readonly currentContext: string | undefined;
  readonly contexts: ReadonlyMap<string, KubeconfigEntry>;
  readonly clusters: ReadonlyMap<string, KubeconfigEntry>;
  readonly users: ReadonlyMap<string, KubeconfigEntry>;
}

/**
 * Reads the text of the file at `path`. YAML or JSON; anchors and merge keys are known, keys given twice are taken as kubectl does.
 * @throws LocalizerError `usage` with line and column when it is no YAML, is of another kind, or names an entry twice,
 * as for kubectl; never with text of the file, which is secret
 */
export function parseKubeconfig(path: string, text: string): KubeconfigFile {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    lineCounter,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: "silent",
    merge: true,
    customTags: (tags) => [oldBoolean, ...tags],
  });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    const place = `line ${line}, column ${col}`;
    throw new LocalizerError("usage", `Cannot read the kubeconfig "${path}": ${place}: ${withoutQuotes(error)}`);
  }
  orderMergeKeys(document);
  const root: unknown = toJson(document, path);
  if (root !== null && (typeof root !== "object" || Array.isArray(root))) {
    throw new LocalizerError("usage", `Cannot read the kubeconfig "${path}": it is not a map`);
  }
  refuseOtherKinds(root, path);
  return {
    place: `"${path}"`,
    currentContext: wordAt(root, "current-context"),
    contexts: entries(root, "contexts", "context", path),
    clusters: entries(root, "clusters", "cluster", path),
    users: entries(root, "users", "user", path),
  };
}

/** The text at the path. Numbers and booleans count as the text they are written as, as in kubectl. */
export function wordAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  if (typeof found === "number" || typeof found === "boolean") return String(found);
  return typeof found === "string" && found !== "" ? found : undefined;
}

/** A path of the entry, from the folder of its file when it is relative. */
export function inFolder(entry: KubeconfigEntry, path: string): string {
  return isAbsolute(path) ? path : join(entry.folder, path);
}

/** A file without kind or apiVersion is taken for one, as by kubectl. */
function refuseOtherKinds(root: unknown, path: string): void {
  const { kind = "Config", apiVersion = "v1" } = { kind: wordAt(root, "kind"), apiVersion: wordAt(root, "apiVersion") };
  if (kind === "Config" && apiVersion === "v1") return;
  const sentence = `Cannot read the kubeconfig "${path}": it is a "${kind}" of "${apiVersion}", no "Config" of "v1"`;
  throw new LocalizerError("usage", sentence);
}

function entries(root: unknown, list: string, member: string, path: string): ReadonlyMap<string, KubeconfigEntry> {
  const folder = dirname(path);
  const found = new Map<string, KubeconfigEntry>();
  for (const item of listAt(root, list)) {
    const name = wordAt(item, "name");
    if (name === undefined) continue;
    if (found.has(name)) {
      const sentence = `Cannot read the kubeconfig "${path}": it has two ${list} named "${name}"; remove one`;
      throw new LocalizerError("usage", sentence);
    }
    found.set(name, { value: at(item, member), folder });
  }
  return found;
}

function toJson(document: { toJS(): unknown }, path: string): unknown {
  try {
    return document.toJS();
  } catch {
    // The library names the alias, which may be a secret that was written without quotes.
    const fault = "an alias (*) or merge key (<<) in it leads to nothing, to no map, or to too much";
    throw new LocalizerError("usage", `Cannot read the kubeconfig "${path}": ${fault}`);
  }
}

/** Messages of the YAML library quote the text around the fault at their end, which may be a key. */
function withoutQuotes(error: { readonly code: string }): string {
  return error.code.toLowerCase().replaceAll("_", " ");
}
