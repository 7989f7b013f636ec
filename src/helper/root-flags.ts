/** The command line as root reads it: before anything of the command line's own room is loaded, and nothing is refused. Pure. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { cliFlags, spellOut, upFlags } from "../model/cli-flags.ts";

/** What a flag says, before anybody has looked at it. */
export type RootFlags = Readonly<Record<string, unknown>>;

/** The flags of the daemon and of `up`; a word that is no flag of theirs says nothing. */
export function rootFlags(argv: readonly string[]): RootFlags {
  const options = { ...cliFlags, ...upFlags };
  return parseArgs({ args: spellOut(argv), options, strict: false, allowPositionals: true }).values;
}

/** The value if it is a text: a flag without one reads as true. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Against the same folder as the user's part, which is started in it. */
export function absolute(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}

/** Says whether a switch is on, as the command line will read it. */
export function isYes(value: unknown): boolean {
  return value === true || (typeof value === "string" && /^(1|true|yes)$/i.test(value));
}
