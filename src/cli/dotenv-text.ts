/**
 * A file of variables in the dialect of Docker Compose (`env_file`, `.env`; github.com/compose-spec/compose-go, package dotenv). Values are
 * written so that, wherever it can be, a POSIX shell, Node's --env-file and npm's dotenv read the same. Pure.
 */
import type { WorkloadEnvironment } from "../rpc/workload-environment.ts";

/** What Compose takes for a name. */
const name = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
/** What needs no quotes: then `docker run --env-file`, which knows none, reads it too. */
const plain = /^[A-Za-z0-9_./:@%+,=-]*$/;

/**
 * The file's text: a comment on where it comes from, a line for each variable (values may have several), a comment for each left out.
 * What `isInert` says yes to is commented out, in one line: it could have something run where the file is read (see governing-variables).
 */
export function dotenvText(
  { source, container, variables, omitted }: WorkloadEnvironment,
  isInert: (variable: { readonly name: string }) => boolean = () => false,
): string {
  const lines = [`# Environment of container "${container}" of ${source}`];
  for (const { name: called, value } of variables) {
    const line = `${called}=${dotenvValue(value)}`;
    if (!name.test(called)) lines.push(`# ${called} is left out: no name for a variable in such a file`);
    else if (isInert({ name: called }))
      lines.push("# Of the container, and not for this machine (see --env-all):", `# ${line}`);
    else lines.push(line);
  }
  for (const { name: called, reason } of omitted) {
    lines.push(called === "" ? `# Left out: ${reason}` : `# ${called} is left out: ${reason}`);
  }
  // What comes from the cluster shall begin no line of its own.
  return lines.map((line) => (line.startsWith("#") ? `${line.replace(/[\r\n]+/g, " ")}\n` : `${line}\n`)).join("");
}

/**
 * A value, quoted as it must be. Single quotes take everything literally but a quote, a backslash before the end, and a carriage return,
 * which Compose drops before a line feed; then there are double quotes with escapes.
 */
export function dotenvValue(value: string): string {
  if (plain.test(value)) return value;
  if (!/['\r]|\\$/.test(value)) return `'${value}'`;
  return `"${value.replace(/[\\"$]/g, "\\$&").replaceAll("\r", "\\r")}"`;
}
