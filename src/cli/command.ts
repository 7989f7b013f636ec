/** What a command is: a name, what help says of it, its own flags, and what it does. */
import type { FlagHelp } from "./flag-help.ts";
import type { FlagValues } from "./flag-values.ts";
import type { CliIo } from "./io.ts";

/** What a command was called with: its flags (those of the environment filled in) and its words. */
export interface Call {
  readonly io: CliIo;
  readonly flags: FlagValues;
  readonly operands: readonly string[];
  /** The command line of another program, which stood after "--"; undefined: there was none. */
  readonly program?: readonly string[];
}

/** One command of the program. */
export interface Command {
  /** The word that calls it; empty for the daemon, which needs none. */
  readonly name: string;
  /** What follows the name and the flags: "[COMMAND]". */
  readonly operands: string;
  readonly maxOperands: number;
  /** One line for the list of commands. */
  readonly summary: string;
  /** More, for the command's own help. */
  readonly details: string;
  /** Its own flags, beside the global ones. */
  readonly flags: Readonly<Record<string, FlagHelp>>;
  /** What its words may be, for completion: these, or what the daemon or the program itself knows. */
  readonly words?: readonly string[] | "services" | "commands";
  /** What they are instead when this switch was given. */
  readonly wordsWith?: { readonly flag: string; readonly words: "exposed" };
  /** What follows "--" is another program's command line. Else those are operands too. */
  readonly takesProgram?: true;
  /** Returns the exit code; throws LocalizerError. */
  readonly run: (call: Call) => Promise<number>;
}
