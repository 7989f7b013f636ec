/** What the command line asks for. Pure. */
import { parseArgs } from "node:util";
import { type RowName, rowNames } from "./results.ts";

/** How much of everything is done. */
export interface Settings {
  readonly rows: readonly RowName[];
  readonly repeats: number;
  /** Samples in rows crowd, idle, steady and many, which take minutes. */
  readonly longRepeats: number;
  /** Rows many and steady: how many Services. */
  readonly services: number;
  /** Row many: how many are made and deleted while they are there. */
  readonly changes: number;
  /** Row connect: connections a sample, near and far, and starts a sample for cold ones. */
  readonly connects: number;
  readonly farConnects: number;
  readonly coldStarts: number;
  /** Row rate: connections a sample, and how many are open at once. */
  readonly connections: number;
  readonly workers: number;
  /** Row bulk: each way. */
  readonly bulkBytes: number;
  /** Row many: how long after its last use the connections to pods are given to go, and how long the CPU at rest is watched. */
  readonly leaveMs: number;
  readonly restMs: number;
  /** Row idle: forwarded connections, and pods behind them. */
  readonly idleConnections: number;
  readonly idlePods: number;
  /** Row idle: how long localizer is given to collect; with less than the row says garbage is in its figures. */
  readonly idleRestMs: number;
  /** Rows stuck and crowd: for how long the neighbours of the stuck are watched, each way. */
  readonly busyMs: number;
  readonly crowdMs: number;
  /** Row refused: how often. */
  readonly refusals: number;
  /** Row steady: how long under each disturbance. */
  readonly steadyMs: number;
  /** Row exposed: echoes and connections a sample, and bytes of each transfer. */
  readonly exposedEchoes: number;
  readonly exposedConnections: number;
  readonly exposedBytes: number;
  /** Undefined: a file in a new temporary folder. */
  readonly jsonFile: string | undefined;
  /** Where the document goes; undefined: nowhere. */
  readonly markdownFile: string | undefined;
}

/** A command line that cannot be read. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const mebibyte = 2 ** 20;

/** All rows together take some 20 minutes. */
const full = {
  repeats: 2,
  longRepeats: 1,
  services: 5000,
  changes: 5,
  connects: 300,
  farConnects: 100,
  coldStarts: 3,
  connections: 1000,
  bulkBytes: 256 * mebibyte,
  leaveMs: 75_000,
  restMs: 40_000,
  idleConnections: 1000,
  idlePods: 12,
  idleRestMs: 45_000,
  busyMs: 8_000,
  crowdMs: 4_000,
  refusals: 5,
  steadyMs: 10_000,
  exposedEchoes: 2000,
  exposedConnections: 1000,
  exposedBytes: 64 * mebibyte,
};
const quick: typeof full = {
  repeats: 1,
  longRepeats: 1,
  services: 50,
  changes: 2,
  connects: 100,
  farConnects: 30,
  coldStarts: 1,
  connections: 300,
  bulkBytes: 64 * mebibyte,
  leaveMs: 3_000,
  restMs: 3_000,
  idleConnections: 200,
  idlePods: 4,
  idleRestMs: 5_000,
  busyMs: 1_500,
  crowdMs: 1_500,
  refusals: 2,
  steadyMs: 3_000,
  exposedEchoes: 300,
  exposedConnections: 200,
  exposedBytes: 16 * mebibyte,
};

const purposes: Readonly<Record<RowName, string>> = {
  connect: "a new connection to its first echoed byte: warm and cold, near and with 20 ms added",
  burst: "20 connections at once to a Service nobody has used yet, with 50 ms added",
  rate: "new connections a second, and the tool's CPU for each",
  bulk: "many bytes up and down on one connection and on eight, CPU for them and after hanging up",
  idle: "memory of an idle forwarded connection and of a pooled one",
  stuck: "one and eight applications that do not read, and what a busy one beside them feels",
  crowd: "50 and 150 long-lived connections and 16 stuck ones on one pod",
  refused: "a port where nobody listens, then a good one; a bystander",
  failover: "the pod in use is deleted, another is ready",
  scale: "all pods go and come back",
  expose: "a Service is exposed and given back under 20 requests a second: how long, and what fails",
  exposed: "latency, bytes and new connections through an exposure, beside ssh -R through kubectl port-forward",
  half: "a half-closed request and its slow answer",
  steady: "500 requests a second beside a download, a relist and changes of slices",
  many: "thousands of Services: start, at rest, changes, end",
  start: "start to first echo, SIGINT to end",
  list: "a gzipped list against a WatchList",
};

/** What `--help` prints. */
export const usage = `usage: npm run bench -- [flags]
Measures localizer beside kubectl port-forward and a plain TCP relay in the test cluster. Needs Linux and root. No figure is a
pass or a fail; what is to be reached stands beside it.
  --only ROW[,ROW]  some of the rows below; default all of them
  --repeats N       samples of each figure; default ${full.repeats}, in rows crowd, idle, steady and many ${full.longRepeats}
  --services N      Services in rows many and steady, and in row list up to 300; default ${full.services}
  --quick           one sample, ${quick.services} Services and less of everything: to see that it works
  --json FILE       where all samples go; default a file in a new temporary folder
  --markdown FILE   writes the document too: docs/performance.md, which is never written by hand; not with --only or --quick,
                    and not when interrupted
  --help            print this
Rows, in this order:
${rowNames.map((name) => `  ${name.padEnd(9)} ${purposes[name]}`).join("\n")}
Exit code 0; 1 when a row could not be measured; 2 for a wrong command line; 128 + n when signal n interrupted it.`;

/** Reads the arguments; "help" when that is all that is wanted. @throws UsageError */
export function parseSettings(args: readonly string[]): Settings | "help" {
  const values = readFlags(args);
  if (values.help === true) return "help";
  if (values.markdown !== undefined && (values.quick === true || values.only !== undefined)) {
    throw new UsageError("Cannot use --markdown with --quick or --only: the document has every row, measured in full");
  }
  const amounts = values.quick === true ? quick : full;
  return {
    ...amounts,
    rows: values.only === undefined ? rowNames : parseRows(values.only),
    ...(values.repeats === undefined ? {} : allRepeats(parseCount("repeats", values.repeats, 100))),
    services: values.services === undefined ? amounts.services : parseCount("services", values.services, 5000),
    workers: 8,
    jsonFile: values.json,
    markdownFile: values.markdown,
  };
}

function readFlags(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        repeats: { type: "string" },
        services: { type: "string" },
        json: { type: "string" },
        markdown: { type: "string" },
        quick: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The command line that writes the document, without the names of files on this machine. */
export function documentCommand(args: readonly string[]): string {
  const isFile = (arg = "") => /^--(json|markdown)$/.test(arg);
  const own = args.filter((arg, index) => !/^--(json|markdown)(=|$)/.test(arg) && !isFile(args[index - 1]));
  return ["npm run bench --", ...own, "--markdown docs/performance.md"].join(" ");
}

function allRepeats(count: number) {
  return { repeats: count, longRepeats: count };
}

function parseRows(text: string): readonly RowName[] {
  const wanted = text.split(",").map((word) => word.trim());
  const isRow = (word: string): word is RowName => rowNames.some((name) => name === word);
  const unknown = wanted.find((word) => !isRow(word));
  if (unknown !== undefined) throw new UsageError(`There is no row "${unknown}": want ${rowNames.join(", ")}`);
  return rowNames.filter((name) => wanted.includes(name));
}

function parseCount(flag: string, text: string, most: number): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= most) return count;
  throw new UsageError(`Cannot use "${text}" for --${flag}: want a number from 1 to ${most}`);
}
