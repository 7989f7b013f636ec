/** One run of a credential plug-in, from start to end: its time limit, its output, and what went wrong in a sentence. */
import type { Clock } from "../clock.ts";
import { errnoOf, LocalizerError, throwIfAborted } from "../errors.ts";
import { type ExecPlugin, execInfo } from "./exec-plugin.ts";
import { lastWords, printableLines, TextEnd } from "./plugin-words.ts";

/** A program to be started. */
export interface PluginCommand {
  /** Absolute, or to be found on the PATH of `userEnv`. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's environment without the plug-in's own, by whose PATH the command is found, as in Go. */
  readonly userEnv: Readonly<Record<string, string | undefined>>;
  /** It gets our stdin, which is a terminal; else none. */
  readonly interactive: boolean;
  /** There is a terminal: it stays in our process group, for Ctrl-C and for what it asks on /dev/tty. */
  readonly sharesTerminal: boolean;
}

/** A started program. */
export interface PluginProcess {
  /** Resolves when it has ended and its output is complete; rejects with the system's error if it could not start. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** Without a terminal its children get the signal too. */
  kill(signal: "SIGTERM" | "SIGKILL"): void;
}

/** Starts a program; its output goes to the two functions as it comes. Does not throw. */
export type StartPlugin = (
  command: PluginCommand,
  output: { readonly stdout: (chunk: Uint8Array) => void; readonly stderr: (chunk: Uint8Array) => void },
) => PluginProcess;

/** What a run needs of the world. */
export interface PluginHost {
  readonly clock: Clock;
  readonly start: StartPlugin;
  /** Of the user. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Says whether our stdin is a terminal that may be lent. */
  readonly hasTerminal: () => boolean;
  /** What the plug-in says to the user: its stderr, as it comes. */
  readonly show: (chunk: Uint8Array) => void;
}

/** A person may have to log in, with a terminal or in a browser. */
const timeLimitMs = 10 * 60_000;
/** From SIGTERM to SIGKILL. */
const graceMs = 2_000;
const maxAnswerBytes = 1 << 20;
const keptStderrBytes = 4096;

/**
 * Runs the plug-in and returns what it printed. When the signal fires, or the time is up (10 min), it is ended, by
 * force after 2 s; the promise settles when it is gone.
 * @throws LocalizerError `unauthenticated` with a clause for after `Cannot log in as "x": `, `aborted`
 */
export async function runPlugin(host: PluginHost, plugin: ExecPlugin, signal: AbortSignal): Promise<string> {
  throwIfAborted(signal);
  const interactive = interactivity(host, plugin);
  const env = { ...host.env, ...plugin.env, KUBERNETES_EXEC_INFO: execInfo(plugin, interactive) };
  const { command, args } = plugin;
  const answer = new TextEnd(maxAnswerBytes + 1);
  const said = new TextEnd(keptStderrBytes);
  let stopped: string | undefined;
  const child = host.start(
    { command, args, env, userEnv: host.env, interactive, sharesTerminal: host.hasTerminal() },
    {
      stdout: (chunk) => {
        answer.add(chunk);
        if (answer.length > maxAnswerBytes) stop("printed more than 1 MiB");
      },
      stderr: (chunk) => {
        host.show(chunk);
        said.add(chunk);
      },
    },
  );
  using timers = new DisposableStack();
  const stop = (reason: string) => {
    if (stopped !== undefined) return;
    stopped = reason;
    child.kill("SIGTERM");
    timers.use(host.clock.after(graceMs, () => child.kill("SIGKILL")));
  };
  const onAbort = () => stop("was stopped");
  signal.addEventListener("abort", onAbort, { once: true });
  timers.defer(() => signal.removeEventListener("abort", onAbort));
  timers.use(host.clock.after(timeLimitMs, () => stop(`gave no answer within ${timeLimitMs / 60_000} min`)));
  const end = await child.ended.catch((error: unknown) => {
    throw notStarted(plugin, error);
  });
  throwIfAborted(signal);
  if (stopped === undefined && end.code === 0) return answer.text;
  throw needsLogin(plugin, stopped ?? endOf(end), said.text);
}

function interactivity({ hasTerminal }: PluginHost, { name, interactiveMode }: ExecPlugin): boolean {
  if (interactiveMode === "Never") return false;
  const interactive = hasTerminal();
  if (interactive || interactiveMode === "IfAvailable") return interactive;
  const reason = `its plug-in "${name}" asks for a terminal (interactiveMode: Always), and stdin is none`;
  throw new LocalizerError("unauthenticated", `needs login in a terminal: ${reason}; start localizer in one`);
}

function endOf({ code, signal }: { readonly code: number | null; readonly signal: string | null }): string {
  return code === null ? `was ended by ${signal ?? "a signal"}` : `ended with exit code ${code}`;
}

function needsLogin({ name }: ExecPlugin, end: string, said: string): LocalizerError {
  const words = lastWords(said);
  return new LocalizerError("unauthenticated", `needs login: "${name}" ${end}${words === "" ? "" : `: ${words}`}`);
}

function notStarted({ name, command, installHint }: ExecPlugin, error: unknown): LocalizerError {
  const hint = installHint === undefined ? "" : `: ${printableLines(installHint).join(" ").trim()}`;
  const where = command.includes("/") ? (name === command ? "" : ` at "${command}"`) : " on PATH";
  return new LocalizerError("unauthenticated", `needs the plug-in "${name}", which ${fault(error, where, hint)}`, {
    cause: error,
  });
}

function fault(error: unknown, where: string, hint: string): string {
  switch (errnoOf(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return `does not exist${where}${hint}`;
    case "EACCES":
    case "EPERM":
      return `may not be run by this user${where}`;
    default:
      return `cannot be started: ${LocalizerError.from(error).message}`;
  }
}
