/**
 * Runs one command to its end and gives back what it printed. For short commands of the
 * fixture; what has to live on is in `detached-process.ts`.
 */
import { spawn } from "node:child_process";

/** How a command is run. */
export interface RunOptions {
  readonly input?: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
  /** Gets each whole line of standard error as it is written. */
  readonly onErrorLine?: (line: string) => void;
}

/** Thrown for a command that did not end with exit code 0. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly stderr: string;
  readonly exitCode: number | null;

  constructor(command: readonly string[], exitCode: number | null, reason: string, stderr: string) {
    super(`Cannot run "${command.join(" ")}": ${reason}${stderr === "" ? "" : `: ${tail(stderr.trim(), 2000)}`}`);
    this.stderr = stderr;
    this.exitCode = exitCode;
  }
}

/** Runs `command` with `args` and returns its standard output. Throws CommandError, or the signal's reason. */
export async function runCommand(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  options.signal?.throwIfAborted();
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "pipe"],
    cwd: options.cwd,
    env: options.env,
    signal: options.signal,
    timeout: options.timeoutMs,
  });
  const output: Buffer[] = [];
  let errors = "";
  let rest = "";
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    errors = tail(errors + chunk, 1_000_000);
    if (options.onErrorLine === undefined) return;
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) options.onErrorLine(line);
  });
  child.stdin.on("error", () => {}); // A command that ends without reading its input is judged by its exit code.
  child.stdin.end(options.input ?? "");
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number | null; signal: NodeJS.Signals | null }>();
  child.on("error", reject);
  child.on("close", (code, signal) => resolve({ code, signal }));
  try {
    const { code, signal } = await promise;
    if (code === 0) return Buffer.concat(output).toString("utf8");
    throw new CommandError(
      [command, ...args],
      code,
      code === null ? `ended by ${signal}` : `exit code ${code}`,
      errors,
    );
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof CommandError) throw error;
    throw new CommandError([command, ...args], null, error instanceof Error ? error.message : String(error), errors);
  }
}

function tail(text: string, length: number): string {
  return text.length > length ? `…${text.slice(-length)}` : text;
}
