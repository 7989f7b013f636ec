/**
 * The daemon's global flags by name and kind, in the shape of node:util's parseArgs. Here because three
 * rooms must agree on which of them take a value: bin (to find the subcommand), helper (as root) and cli.
 */

/** How one flag is read. */
export interface CliFlag {
  readonly type: "string" | "boolean";
  /** One letter that means the same. */
  readonly short?: string;
  /** May be given more than once; each adds. */
  readonly multiple?: true;
  /** May stand without its value, which is "" then. Read through `spellOut`. */
  readonly optional?: true;
}

/** Every global flag of the daemon. Add here first: a value flag that is missing here would be taken for a subcommand's name. */
export const cliFlags = {
  context: { type: "string" },
  kubeconfig: { type: "string" },
  namespace: { type: "string", multiple: true },
  "skip-namespace": { type: "string", multiple: true },
  "cluster-domain": { type: "string" },
  "ip-cidr": { type: "string" },
  "log-level": { type: "string" },
  "log-format": { type: "string" },
  "hosts-file": { type: "string" },
  socket: { type: "string" },
  selector: { type: "string" },
  "short-names": { type: "string", optional: true },
  "allow-suffix": { type: "string", multiple: true },
  "skip-port": { type: "string", multiple: true },
  "port-forward-engine": { type: "string" },
  "expose-image": { type: "string" },
  "expose-lease": { type: "string" },
  "expose-timeout": { type: "string" },
  "state-dir": { type: "string" },
  "root-state-dir": { type: "string" },
  user: { type: "string" },
  "no-helper": { type: "boolean" },
  "allow-root-exec": { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const satisfies Readonly<Record<string, CliFlag>>;

/** The flags of `up` that the daemon does not know. */
export const upFlags = { timeout: { type: "string" } } as const satisfies Readonly<Record<string, CliFlag>>;

/** The name of a global flag. */
export type CliFlagName = keyof typeof cliFlags;

/**
 * The words of a command line with every optional value spelled out, for parseArgs knows no such thing: `--short-names`
 * before another flag, or at the end, becomes `--short-names=`.
 */
export function spellOut(argv: readonly string[]): string[] {
  const optional = Object.entries<CliFlag>(cliFlags).filter(([, flag]) => flag.optional);
  const spellings = new Set(optional.map(([name]) => `--${name}`));
  const end = argv.indexOf("--");
  return argv.map((word, index) => {
    const next = argv[index + 1];
    const isBare = spellings.has(word) && (next === undefined || next.startsWith("-")) && (end < 0 || index < end);
    return isBare ? `${word}=` : word;
  });
}
