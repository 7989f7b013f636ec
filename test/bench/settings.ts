/** What the command line asks for. Pure. */
import { parseArgs } from "node:util";
import { type RowName, rowNames } from "./results.ts";

/** How much of everything is done. */
export interface Settings {
  readonly rows: readonly RowName[];
  readonly repeats: number;
  /** Row many: how many Services. */
  readonly services: number;
  /** Row many: how many are made and deleted while they are there. */
  readonly changes: number;
  /** Row connect: connections a sample. */
  readonly connects: number;
  /** Row rate: connections a sample, and how many are open at once. */
  readonly connections: number;
  readonly workers: number;
  /** Row bulk: each way. */
  readonly bulkBytes: number;
  /** Row many: how long the CPU at rest is watched. */
  readonly restMs: number;
  /** Undefined: a file in a new temporary folder. */
  readonly jsonFile: string | undefined;
}

/** A command line that cannot be read. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const mebibyte = 2 ** 20;

const full = {
  repeats: 3,
  services: 1000,
  changes: 5,
  connects: 300,
  connections: 1000,
  bulkBytes: 256 * mebibyte,
  restMs: 60_000,
};
const quick = {
  repeats: 2,
  services: 50,
  changes: 2,
  connects: 100,
  connections: 300,
  bulkBytes: 64 * mebibyte,
  restMs: 3_000,
};

/** What `--help` prints. */
export const usage = `usage: npm run bench -- [flags]
Measures localizer beside kubectl port-forward in the test cluster. Needs Linux and root. No figure is a pass or a fail.
  --only ROW[,ROW]  of ${rowNames.join(", ")}; default all of them
  --repeats N       samples of each figure; default ${full.repeats}
  --services N      Services in row many, and in row list up to 300; default ${full.services}
  --quick           ${quick.repeats} repeats, ${quick.services} Services and less of everything: to see that it works
  --json FILE       where all samples go; default a file in a new temporary folder
  --help            print this
Exit code 0; 1 when a row could not be measured; 2 for a wrong command line; 128 + n when signal n interrupted it.`;

/** Reads the arguments; "help" when that is all that is wanted. @throws UsageError */
export function parseSettings(args: readonly string[]): Settings | "help" {
  const values = readFlags(args);
  if (values.help === true) return "help";
  const amounts = values.quick === true ? quick : full;
  return {
    ...amounts,
    rows: values.only === undefined ? rowNames : parseRows(values.only),
    repeats: values.repeats === undefined ? amounts.repeats : parseCount("repeats", values.repeats, 100),
    services: values.services === undefined ? amounts.services : parseCount("services", values.services, 5000),
    workers: 8,
    jsonFile: values.json,
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
        quick: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
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
