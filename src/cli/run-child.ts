/**
 * Another program with this one's terminal: started, told what this one is told, waited for. The only place of the command line
 * that starts a process.
 */
import { spawn } from "node:child_process";
import { constants as fsConstants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";
import type { Child, StartChild, StopRequest } from "./child.ts";

/**
 * Looks for the program and gives what starts it.
 * @param options.env where PATH is, and what the program gets
 * @param options.isTerminal there is one: Ctrl-C then reaches the program by itself, and another INT would count as a second
 * @throws LocalizerError `usage` for no word at all, `not-found` when there is no such program, `denied` when it cannot be run
 */
export async function prepareChild(
  words: readonly string[],
  options: { readonly env: NodeJS.ProcessEnv; readonly isTerminal: boolean },
): Promise<StartChild> {
  const [program, ...args] = words;
  if (program === undefined || program === "") {
    throw new LocalizerError("usage", 'Cannot run a program without its name: want one after "--"');
  }
  await demandProgram(program, options.env.PATH ?? "");
  return async (variables = {}) => {
    const child = spawn(program, args, { env: { ...options.env, ...variables }, stdio: "inherit" });
    const ended = new Promise<number>((resolve) => {
      child.once("exit", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
    });
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (error) => reject(cannotRun(program, error)));
    });
    // What it says later is that a signal could not be sent: it has ended.
    child.on("error", () => {});
    const passOn = (request: StopRequest) => {
      if (request !== "SIGINT" || !options.isTerminal) child.kill(request);
    };
    return { ended, passOn } satisfies Child;
  };
}

/** Before anything is done for it: a slip of the pen should cost nothing. */
async function demandProgram(program: string, path: string): Promise<void> {
  const places = program.includes("/") ? [program] : path.split(delimiter).map((folder) => join(folder, program));
  let failure: unknown;
  for (const place of places) {
    try {
      if (!(await stat(place)).isFile()) continue;
      await access(place, fsConstants.X_OK);
      return;
    } catch (error) {
      if (errnoOf(error) === "EACCES") failure = error;
    }
  }
  throw cannotRun(program, failure);
}

function cannotRun(program: string, cause: unknown): LocalizerError {
  return errnoOf(cause) === "EACCES"
    ? new LocalizerError("denied", `Cannot run "${program}": it may not be executed`, { cause })
    : new LocalizerError("not-found", `Cannot run "${program}": there is no such program`, { cause });
}
