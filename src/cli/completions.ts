/** What could stand at the cursor of a command line that is being typed. Pure: what only the daemon knows is named, not asked. */
import type { Command } from "./command.ts";
import type { FlagHelp } from "./flag-help.ts";
import { globalFlags } from "./global-flags.ts";

/** A word that could stand there. */
export interface Candidate {
  readonly word: string;
  readonly text: string;
}

/** What fits at the cursor. */
export interface Completion {
  /** What the shell counts to the word but is no part of the candidates: "--output=". */
  readonly before: string;
  /** What is there of the word. */
  readonly typed: string;
  readonly fits: readonly Candidate[] | "services" | "exposed" | "namespaces" | "files";
}

/** The words after the program's name up to the cursor; the last is the one being typed, perhaps empty. */
export function completionAt(words: readonly string[], commands: readonly Command[]): Completion {
  const { tokens, isSplit } = joined(words);
  const typed = tokens.at(-1) ?? "";
  const { command, operands, pending, isEnded, flagsGiven } = readBefore(tokens.slice(0, -1), commands);
  if (isEnded && command?.takesProgram) return { before: "", typed, fits: "files" };
  if (pending !== undefined && !(pending.optional && typed.startsWith("-"))) {
    return { before: "", typed, fits: valuesOf(pending) };
  }
  const flags = { ...globalFlags, ...command?.flags };
  const [, name = "", value] = /^--([^=]+)=(.*)$/s.exec(typed) ?? [];
  if (value !== undefined) {
    const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
    const before = isSplit ? "" : `--${name}=`;
    return { before, typed: value, fits: flag?.type === "string" ? valuesOf(flag) : [] };
  }
  if (typed.startsWith("-")) return { before: "", typed, fits: flagWords(flags) };
  if (command === undefined) return { before: "", typed, fits: operands === 0 ? commandWords(commands) : [] };
  if (operands >= command.maxOperands) return { before: "", typed, fits: [] };
  const { wordsWith } = command;
  const isOther = wordsWith !== undefined && flagsGiven.has(`--${wordsWith.flag}`);
  return { before: "", typed, fits: isOther ? wordsWith.words : wordsOf(command, commands) };
}

/** bash breaks `--output=json` into three words. */
function joined(words: readonly string[]): { tokens: readonly string[]; isSplit: boolean } {
  const tokens: string[] = [];
  let isSplit = false;
  for (const [index, word] of words.entries()) {
    const last = tokens.at(-1);
    const isValue = words[index - 1] === "=" && words[index - 2]?.startsWith("--");
    isSplit = last?.startsWith("--") === true && (word === "=" || isValue === true);
    if (isSplit) tokens[tokens.length - 1] = `${last}${word}`;
    else tokens.push(word);
  }
  return { tokens, isSplit };
}

interface Before {
  /** The one that was named; undefined while none is. */
  readonly command: Command | undefined;
  readonly operands: number;
  /** The flag whose value comes next. */
  readonly pending: FlagHelp | undefined;
  /** "--" stood there: what follows are no flags. */
  readonly isEnded: boolean;
  /** As they were typed. */
  readonly flagsGiven: ReadonlySet<string>;
}

function readBefore(tokens: readonly string[], commands: readonly Command[]): Before {
  const all: Readonly<Record<string, FlagHelp>> = Object.assign({}, ...commands.map(({ flags }) => flags), globalFlags);
  const positionals: string[] = [];
  let pending: readonly [name: string, FlagHelp] | undefined;
  for (const token of tokens) {
    if (pending !== undefined && !(pending[1].optional && token.startsWith("-"))) pending = undefined;
    else if (token.startsWith("-")) pending = flagThatWants(token, all);
    else positionals.push(token);
  }
  const [word, ...operands] = positionals;
  const command = word === undefined ? undefined : commands.find(({ name }) => name === word);
  return {
    command,
    operands: command === undefined ? positionals.length : operands.length,
    // Commands may have flags of one name that take different words.
    pending: pending && (command?.flags[pending[0]] ?? pending[1]),
    isEnded: tokens.includes("--"),
    flagsGiven: new Set(tokens.filter((token) => token.startsWith("--"))),
  };
}

/** The flag, when the token is one that takes the next word as its value. */
function flagThatWants(
  token: string,
  all: Readonly<Record<string, FlagHelp>>,
): readonly [name: string, FlagHelp] | undefined {
  const found = Object.entries(all).find(([name, { short }]) => token === `--${name}` || token === `-${short}`);
  return found?.[1].type === "string" ? found : undefined;
}

function valuesOf({ choices, value }: FlagHelp): Completion["fits"] {
  if (choices !== undefined) return choices.map((word) => ({ word, text: "" }));
  if (value === "FILE" || value === "FOLDER") return "files";
  return value === "NAMESPACE" ? "namespaces" : [];
}

function flagWords(flags: Readonly<Record<string, FlagHelp>>): readonly Candidate[] {
  return Object.entries(flags).map(([name, { text }]) => ({ word: `--${name}`, text }));
}

function commandWords(commands: readonly Command[]): readonly Candidate[] {
  return commands.flatMap(({ name, summary }) => (name === "" ? [] : [{ word: name, text: summary }]));
}

function wordsOf({ words = [] }: Command, commands: readonly Command[]): Completion["fits"] {
  if (words === "commands") return commandWords(commands);
  return words === "services" ? words : words.map((word) => ({ word, text: "" }));
}
