/**
 * The command line: reads what was typed, runs one command, says in one sentence and a hint what went wrong.
 * Promises an exit code and never a stack trace. Used by bin; knows of the daemon only its wire.
 */
import { inspect } from "node:util";
import { LocalizerError } from "../errors.ts";
import type { Command } from "./command.ts";
import { parseCommandLine } from "./command-line.ts";
import { cleanup } from "./commands/cleanup.ts";
import { cluster } from "./commands/cluster.ts";
import { completion } from "./commands/completion.ts";
import { down } from "./commands/down.ts";
import { expose } from "./commands/expose.ts";
import { helpCommand } from "./commands/help.ts";
import { list } from "./commands/list.ts";
import { metrics } from "./commands/metrics.ts";
import { ping } from "./commands/ping.ts";
import { restore } from "./commands/restore.ts";
import { runCommand } from "./commands/run.ts";
import { stats } from "./commands/stats.ts";
import { up } from "./commands/up.ts";
import { version } from "./commands/version.ts";
import { wait } from "./commands/wait.ts";
import { complete } from "./complete.ts";
import { completeWord } from "./completion-scripts.ts";
import { exitCodes } from "./exit-code.ts";
import { isOn, one, withEnvironment } from "./flag-values.ts";
import { globalFlags } from "./global-flags.ts";
import { hintFor } from "./hint.ts";
import { type CliIo, processIo } from "./io.ts";
import { oneLine } from "./table.ts";

/** Runs the program; `argv` without the interpreter and the script. Returns the exit code, never throws. */
export async function main(
  argv: readonly string[],
  io: CliIo = processIo(),
  daemon: Command = runCommand(),
  starter: Command = up,
): Promise<number> {
  const asking = [list, wait, expose, ping, stats, metrics, down];
  const commands = [daemon, starter, ...asking, cleanup, restore, cluster, completion, version];
  const help = helpCommand(commands);
  const [first, ...rest] = argv;
  // What fails before the command line is understood is about the command that it seems to name.
  let name =
    argv.find((word) => commands.some((command) => command.name === word)) ?? (argv.includes("help") ? "help" : "");
  let isDebug = false;
  try {
    if (first === completeWord) return await complete(rest, [...commands, help], io);
    const { command, flags: given, operands, program } = parseCommandLine(argv, [...commands, help]);
    const flags = withEnvironment(given, io.env, { ...globalFlags, ...command.flags });
    name = command.name;
    isDebug = one(flags, "log-level")?.toLowerCase() === "debug";
    if (isOn(flags, "help")) {
      return await help.run({ io, flags, operands: name === "" ? [] : [name] });
    }
    if (isOn(flags, "version")) return await version.run({ io, flags, operands: [] });
    return await command.run({ io, flags, operands, ...(program && { program }) });
  } catch (thrown) {
    return tellFailure(thrown, { command: name, isDebug, stderr: io.stderr });
  }
}

/** Says what was thrown as every command does, for bin too, which can fail before a command runs. Returns the exit code. */
export function tellFailure(
  thrown: unknown,
  { command, isDebug = false, stderr }: { command: string; isDebug?: boolean; stderr: (text: string) => void },
): number {
  const error = LocalizerError.from(thrown);
  stderr(sentences(error, command, isDebug));
  return exitCodes[error.code];
}

/** The error for a person: what went wrong, what to do, and for --log-level debug what led to it. */
function sentences(error: LocalizerError, command: string, isDebug: boolean): string {
  const lines = [`localizer: ${error.message}`];
  const hint = hintFor(error.code, command);
  if (hint !== undefined) lines.push(`  ${hint}`);
  if (isDebug) lines.push(...causes(error).map((cause) => `  caused by: ${cause}`));
  // Words of the command line, the daemon and the API server stand in it.
  return lines.map((line) => `${printable(line)}\n`).join("");
}

/** Keeps the line ends of the text itself. */
function printable(text: string): string {
  return text.split("\n").map(oneLine).join("\n");
}

function causes(error: LocalizerError): readonly string[] {
  const found: string[] = [];
  for (let cause = error.cause; cause !== undefined && found.length < 8; ) {
    found.push(cause instanceof Error ? `${cause.name}: ${cause.message}` : described(cause));
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return found;
}

/** What was thrown need not be an error: an API server's answer is an object. */
function described(cause: unknown): string {
  return typeof cause === "object" ? inspect(cause, { breakLength: Infinity, depth: 2 }) : String(cause);
}
