/** What a person should know before a program runs as root: files that others can change, variables that sudo dropped. */
import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

// What a user's credentials and way to the cluster hang on.
const wanted = [
  /^KUBECONFIG$/,
  /^(AWS|AZURE|GOOGLE|CLOUDSDK|OCI)_/,
  /^(https?|no|all)_proxy$/i,
  /^SSH_AUTH_SOCK$/,
  /^(XDG|LOCALIZER)_/,
  /^(KUBECONTEXT|LOG_LEVEL|LOG_FORMAT)$/,
];

/** The variables that matter to localizer and stand in `before` but not in `after`. Sorted. Pure. */
export function droppedVariables(before: readonly string[], after: NodeJS.ProcessEnv): readonly string[] {
  return before.filter((name) => wanted.some((pattern) => pattern.test(name)) && !(name in after)).sort();
}

/** The names of the variables that the sudo above this root process was called with, or undefined when that cannot be seen. */
export function variablesOfSudo(): readonly string[] | undefined {
  try {
    const parent = `/proc/${process.ppid}`;
    if (readFileSync(`${parent}/comm`, "utf8").trim() !== "sudo") return undefined;
    const names = readFileSync(`${parent}/environ`, "utf8").split("\0");
    return names.map((pair) => pair.slice(0, pair.indexOf("="))).filter((name) => name !== "");
  } catch {
    return undefined;
  }
}

/** Node, this program's files that run as root, and folders above them, which group or world can write. */
export function writableProgramFiles(): readonly string[] {
  const source = dirname(dirname(fileURLToPath(import.meta.url)));
  const folders = ["helper", "hostsfile", "model", "net", "../bin"].map((room) => join(source, room));
  const files = [source, ...folders].flatMap((folder) => {
    const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
    return names.map((entry) => join(folder, entry.name));
  });
  return writableByOthers([realpathSync(process.execPath), ...files.map((file) => realpathSync(file))]);
}

/** Those of the files and of the folders above them which group or world can write. A sticky folder counts as closed. */
export function writableByOthers(files: readonly string[]): readonly string[] {
  const paths = new Set(files);
  for (const file of files) {
    for (let at = dirname(file); !paths.has(at); at = dirname(at)) paths.add(at);
  }
  return [...paths].filter((path) => {
    const { mode } = lstatSync(path).isSymbolicLink() ? statSync(path) : lstatSync(path);
    return (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
  });
}
