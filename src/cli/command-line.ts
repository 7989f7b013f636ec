/** Reads the command line: which command, its flags, its words; or one sentence about the first thing wrong. Pure. */
import { parseArgs } from "node:util";
import { LocalizerError } from "../errors.ts";
import { spellOut } from "../model/cli-flags.ts";
import { nearest } from "../model/nearest.ts";
import type { Command } from "./command.ts";
import type { FlagHelp } from "./flag-help.ts";
import type { FlagValues } from "./flag-values.ts";
import { globalFlags } from "./global-flags.ts";

/** What was typed. */
export interface CommandLine {
  readonly command: Command;
  readonly flags: FlagValues;
  readonly operands: readonly string[];
  /** What stood after "--", for a command that takes a program. */
  readonly program?: readonly string[];
}

/**
 * Flags may stand before and after the command; the first other word names it, no word means the one without a name.
 * @throws LocalizerError `usage` for an unknown flag or command, a value missing or too many words
 */
export function parseCommandLine(argv: readonly string[], commands: readonly Command[]): CommandLine {
  const sets = [...commands.map(({ flags }) => flags), globalFlags];
  const known: Readonly<Record<string, FlagHelp>> = Object.fromEntries(sets.flatMap(Object.entries<FlagHelp>));
  const args = spellOut(argv);
  const { tokens } = parseArgs({
    args,
    options: Object.fromEntries(Object.entries(known).map(([name, flag]) => [name, optionOf(flag)])),
    // Its own errors are not sentences for users; everything is checked below.
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const options = tokens.filter((token) => token.kind === "option");
  for (const { name, rawName, value, inlineValue } of options) {
    if (!Object.hasOwn(known, name)) throw unknownFlag(rawName, known);
    if (known[name]?.optional) continue;
    const isMissing = value === undefined || value === "" || (!inlineValue && value.startsWith("-"));
    if (known[name]?.type === "string" && isMissing) {
      throw new LocalizerError("usage", `Flag "${rawName}" needs a value`);
    }
  }
  const positionals = tokens.filter((token) => token.kind === "positional");
  const [word = "", ...others] = positionals.map(({ value }) => value);
  const command = commands.find(({ name }) => name === word);
  if (command === undefined) throw unknownCommand(word, commands);
  const end = tokens.find((token) => token.kind === "option-terminator")?.index ?? Infinity;
  const own = positionals.filter(({ index }) => index < end).length - 1;
  const program = command.takesProgram && end < Infinity && own >= 0 ? args.slice(end + 1) : undefined;
  const operands = program === undefined ? others : others.slice(0, own);

  const flags = new Map<string, string[]>();
  for (const { name, rawName, value } of options) {
    if ((command.flags[name] ?? globalFlags[name]) === undefined) {
      throw new LocalizerError("usage", `There is no flag "${rawName}" for ${naming(command)}`);
    }
    flags.set(name, [...(flags.get(name) ?? []), value ?? "true"]);
  }
  const tooMany = operands[command.maxOperands];
  if (tooMany !== undefined) {
    throw new LocalizerError("usage", `Cannot use "${tooMany}": too many words for ${naming(command)}`);
  }
  return { command, flags, operands, ...(program && { program }) };
}

/** @throws never; makes the error for a word that names no command */
export function unknownCommand(word: string, commands: readonly Command[]): LocalizerError {
  const names = commands.map(({ name }) => name).filter((name) => name !== "");
  return new LocalizerError("usage", `There is no command "${word}"${meant(nearest(word, names))}`);
}

function unknownFlag(rawName: string, known: Readonly<Record<string, FlagHelp>>): LocalizerError {
  const close = nearest(rawName.replace(/^-+/, ""), Object.keys(known));
  return new LocalizerError("usage", `There is no flag "${rawName}"${meant(close && `--${close}`)}`);
}

function meant(close: string | undefined): string {
  return close === undefined ? "" : `; did you mean "${close}"?`;
}

function naming(command: Command): string {
  return command.name === "" ? "the daemon" : `"${command.name}"`;
}

function optionOf({ type, short }: FlagHelp) {
  return short === undefined ? { type } : { type, short };
}
