/**
 * Which kubeconfig files count, and what they say together: by the rules of client-go's ClientConfigLoadingRules
 * (tools/clientcmd/loader.go). Used by kubeconfig.ts, and by who follows the current context.
 */
import { delimiter, join, resolve } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";
import { type KubeconfigEntry, type KubeconfigFile, parseKubeconfig } from "./kubeconfig-file.ts";

/** Where to look for the files, and how to read them. */
export interface KubeconfigSource {
  /** `--kubeconfig`: wins over the environment, and must exist. */
  readonly path?: string | undefined;
  /** Of it, KUBECONFIG is read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
  readonly readFile: (path: string) => Promise<Uint8Array>;
}

/** The files that count, absolute, the strongest first. None when KUBECONFIG holds nothing but separators. */
export function kubeconfigPaths({ path, env, home }: Omit<KubeconfigSource, "readFile">): readonly string[] {
  if (path !== undefined && path !== "") return [resolve(path)];
  const { KUBECONFIG: list = "" } = env;
  if (list === "") return [join(home, ".kube", "config")];
  const named = list.split(delimiter).filter((part) => part !== "");
  return [...new Set(named.map((part) => resolve(part)))];
}

/**
 * Reads the files and merges them. A file of KUBECONFIG, or the one in the home folder, may be missing;
 * undefined when all are, or when what is there says nothing.
 * @throws LocalizerError `not-found` when the file of `--kubeconfig` is missing, `denied` when one may not be read,
 * `usage` when its text is wrong
 */
export async function readKubeconfig(source: KubeconfigSource): Promise<KubeconfigFile | undefined> {
  const explicit = source.path !== undefined && source.path !== "";
  const files = await Promise.all(
    kubeconfigPaths(source).map(async (path) => {
      const bytes = await readOrMissing(source, path, explicit);
      return bytes === undefined ? [] : [parseKubeconfig(path, Buffer.from(bytes).toString("utf8"))];
    }),
  );
  const merged = mergeKubeconfigs(files.flat());
  const { currentContext, contexts, clusters, users } = merged;
  const isEmpty = currentContext === undefined && contexts.size + clusters.size + users.size === 0;
  return isEmpty && !explicit ? undefined : merged;
}

/** The first file that has a value gives it, and the first that has an entry gives the whole of it. Pure. */
export function mergeKubeconfigs(files: readonly KubeconfigFile[]): KubeconfigFile {
  return {
    place: files.map(({ place }) => place).join(", "),
    currentContext: files.map(({ currentContext }) => currentContext).find((name) => name !== undefined),
    contexts: mergeEntries(files.map(({ contexts }) => contexts)),
    clusters: mergeEntries(files.map(({ clusters }) => clusters)),
    users: mergeEntries(files.map(({ users }) => users)),
  };
}

/**
 * Reads a file that a kubeconfig, or the user, names.
 * @throws LocalizerError `not-found`, `denied`, or `usage` with `what` and the path
 */
export async function readNamed(
  { readFile }: Pick<KubeconfigSource, "readFile">,
  path: string,
  what: string,
): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const action = `Cannot read ${what} "${path}"`;
    switch (errnoOf(error)) {
      case "ENOENT":
      case "ENOTDIR":
        throw new LocalizerError("not-found", `${action}: there is no such file`, { cause: error });
      case "EACCES":
      case "EPERM":
        throw new LocalizerError("denied", `${action}: its permissions do not let this user`, { cause: error });
      case "EISDIR":
        throw new LocalizerError("usage", `${action}: it is a folder`, { cause: error });
      default:
        throw LocalizerError.wrap(error, action, "usage");
    }
  }
}

async function readOrMissing(source: KubeconfigSource, path: string, must: boolean): Promise<Uint8Array | undefined> {
  try {
    return await readNamed(source, path, "the kubeconfig");
  } catch (error) {
    if (!must && errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function mergeEntries(maps: readonly ReadonlyMap<string, KubeconfigEntry>[]): ReadonlyMap<string, KubeconfigEntry> {
  const merged = new Map<string, KubeconfigEntry>();
  for (const [name, entry] of maps.flatMap((map) => [...map])) if (!merged.has(name)) merged.set(name, entry);
  return merged;
}
