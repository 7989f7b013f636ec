/** `localizer help [COMMAND]`: how the program, or one command of it, is used. */
import type { Command } from "../command.ts";
import { unknownCommand } from "../command-line.ts";
import type { FlagHelp } from "../flag-help.ts";
import { variableOf } from "../flag-values.ts";
import { globalFlags } from "../global-flags.ts";

const lineLength = 110;

/** Makes the command; it knows the others from its argument, for they must not know it. */
export function helpCommand(others: readonly Command[]): Command {
  const help: Command = {
    name: "help",
    operands: "[COMMAND]",
    maxOperands: 1,
    words: "commands",
    summary: "say how a command is used",
    details: "",
    flags: {},
    async run({ io, operands: [word] }) {
      const all = [...others, help];
      const command = word === undefined ? undefined : all.find(({ name }) => name === word);
      if (word !== undefined && command === undefined) throw unknownCommand(word, all);
      io.stdout(command ? helpOf(command) : helpOfAll(all));
      return 0;
    },
  };
  return help;
}

/** The text of `localizer help`. */
function helpOfAll(commands: readonly Command[]): string {
  const named = commands.filter(({ name }) => name !== "");
  return sections(
    "Every Service of a Kubernetes cluster answers on this machine under its cluster name.",
    "Usage:\n  localizer [FLAGS]             run the daemon in the foreground; Ctrl-C stops it\n  localizer COMMAND [FLAGS]",
    `Commands:\n${columns(named.map(({ name, summary }) => [name, summary]))}`,
    `Flags:\n${flagLines(globalFlags)}`,
    "Each flag may come from the environment, from the variable in brackets; those of the command line win. Where a flag\nmay be repeated, its variable is a list with commas.",
    "Exit codes: 0 ok, 1 internal, 2 usage, 3 no daemon, 4 not found, 5 denied or not logged in, 6 timeout, 7 conflict.",
  );
}

/** The text of `localizer COMMAND --help`. */
function helpOf(command: Command): string {
  const flags = Object.keys(command.flags).length > 0 ? `Flags:\n${flagLines(command.flags)}` : "";
  const usage = ["localizer", command.name, "[FLAGS]", command.operands].filter((part) => part !== "").join(" ");
  return sections(
    `${command.summary.charAt(0).toUpperCase()}${command.summary.slice(1)}.`,
    `Usage:\n  ${usage}`,
    paragraph(command.details),
    flags,
    `Flags for all commands:\n${flagLines(withoutOwn(globalFlags, command))}`,
  );
}

/** A command may give a flag of all commands a meaning of its own. */
function withoutOwn(flags: Readonly<Record<string, FlagHelp>>, { flags: own }: Command) {
  return Object.fromEntries(Object.entries(flags).filter(([name]) => own[name] === undefined));
}

function flagLines(flags: Readonly<Record<string, FlagHelp>>): string {
  return columns(
    Object.entries(flags).map(([name, { short, value, text, env, optional }]) => {
      const long = value === undefined ? `--${name}` : optional ? `--${name}[=${value}]` : `--${name} ${value}`;
      const variable = env === false ? "" : ` [$${variableOf(name)}]`;
      return [short === undefined ? `    ${long}` : `-${short}, ${long}`, `${text}${variable}`];
    }),
  );
}

function columns(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  const indent = " ".repeat(width + 5);
  return rows
    .map(
      ([left, right]) => `  ${left.padEnd(width)}   ${wrapped(right, lineLength - indent.length).join(`\n${indent}`)}`,
    )
    .join("\n");
}

/** The text's own line ends stay. */
function paragraph(text: string): string {
  return text
    .split("\n")
    .flatMap((line) => (line.length > lineLength ? wrapped(line, lineLength) : [line]))
    .join("\n");
}

/** Lines of whole words, none longer than `length` unless one word is. */
function wrapped(text: string, length: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > length) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

function sections(...texts: readonly string[]): string {
  return `${texts.filter((text) => text !== "").join("\n\n")}\n`;
}
