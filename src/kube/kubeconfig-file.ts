/** A kubeconfig file as it stands: YAML into named entries, nothing resolved yet. */
import { dirname } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { LocalizerError } from "../errors.ts";
import { at, listAt } from "./json.ts";

/** A cluster, user or context of the file, unread, with the folder that its relative paths start from. */
export interface KubeconfigEntry {
  readonly value: unknown;
  readonly folder: string;
}

/** The parts of a kubeconfig by name. The first of two entries with one name counts. */
export interface KubeconfigFile {
  readonly path: string;
  readonly currentContext: string | undefined;
  readonly contexts: ReadonlyMap<string, KubeconfigEntry>;
  readonly clusters: ReadonlyMap<string, KubeconfigEntry>;
  readonly users: ReadonlyMap<string, KubeconfigEntry>;
}

/**
 * Reads the text of the file at `path`. YAML or JSON; anchors are known, keys given twice are taken as kubectl does.
 * @throws LocalizerError `usage` with line and column when it is no YAML; never with text of the file, which is secret
 */
export function parseKubeconfig(path: string, text: string): KubeconfigFile {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: false, logLevel: "silent" });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    const place = `line ${line}, column ${col}`;
    throw new LocalizerError("usage", `Cannot read the kubeconfig "${path}": ${place}: ${withoutQuotes(error)}`);
  }
  const root: unknown = toJson(document, path);
  if (root !== null && (typeof root !== "object" || Array.isArray(root))) {
    throw new LocalizerError("usage", `Cannot read the kubeconfig "${path}": it is not a map`);
  }
  const folder = dirname(path);
  return {
    path,
    currentContext: wordAt(root, "current-context"),
    contexts: entries(root, "contexts", "context", folder),
    clusters: entries(root, "clusters", "cluster", folder),
    users: entries(root, "users", "user", folder),
  };
}

/** The text at the path. Numbers and booleans count as the text they are written as, as in kubectl. */
export function wordAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  if (typeof found === "number" || typeof found === "boolean") return String(found);
  return typeof found === "string" && found !== "" ? found : undefined;
}

function entries(root: unknown, list: string, member: string, folder: string): ReadonlyMap<string, KubeconfigEntry> {
  const found = new Map<string, KubeconfigEntry>();
  for (const item of listAt(root, list)) {
    const name = wordAt(item, "name");
    if (name !== undefined && !found.has(name)) found.set(name, { value: at(item, member), folder });
  }
  return found;
}

function toJson(document: { toJS(): unknown }, path: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    // An alias to nothing, or a bomb of aliases.
    throw LocalizerError.wrap(error, `Cannot read the kubeconfig "${path}"`, "usage");
  }
}

/** Messages of the YAML library quote the text around the fault at their end, which may be a key. */
function withoutQuotes(error: { readonly code: string }): string {
  return error.code.toLowerCase().replaceAll("_", " ");
}
