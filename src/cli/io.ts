/** All that a command may do to the world outside: print, read the environment, hear that it should stop. */
import { type Clock, systemClock } from "../clock.ts";
import { errnoOf, reasonOf } from "../errors.ts";
import { withoutMallocSettings } from "../model/malloc-settings.ts";
import { type StartChild, type StopRequest, stopSignals } from "./child.ts";

/** The process, as commands see it. */
export interface CliIo {
  /** For what was asked for; text as it is, with its line ends. */
  readonly stdout: (text: string) => void;
  /** For errors and the log. */
  readonly stderr: (text: string) => void;
  readonly env: NodeJS.ProcessEnv;
  readonly uid: number;
  readonly clock: Clock;
  /** Calls back for every signal until disposed. While nobody listens, one ends the process as usual. */
  readonly onStop: (listener: (request: StopRequest) => void) => Disposable;
  /** Looks for a program, by its name and arguments. @throws LocalizerError `usage`, `not-found` or `denied` */
  readonly prepareChild: (words: readonly string[]) => Promise<StartChild>;
  /** Ends the process at once. */
  readonly exit: (code: number) => void;
}

/** The real process. A reader that has gone (`localizer list | head`) is no error. */
export function processIo(): CliIo {
  process.stdout.on("error", onLostOutput);
  // There is nowhere left to say it.
  process.stderr.on("error", () => {});
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    env: withoutMallocSettings(process.env),
    uid: process.geteuid?.() ?? 0,
    clock: systemClock,
    onStop,
    async prepareChild(words) {
      const { prepareChild } = await import("./run-child.ts");
      return await prepareChild(words, { env: process.env, isTerminal: hasTerminal(process) });
    },
    exit: (code) => process.exit(code),
  };
}

/** Says whether Ctrl-C in a terminal reaches this process and its children by itself: one of their streams is that terminal. */
export function hasTerminal(
  streams: {
    readonly [name in "stdin" | "stdout" | "stderr"]: { readonly isTTY?: boolean | undefined };
  },
): boolean {
  return [streams.stdin, streams.stdout, streams.stderr].some(({ isTTY }) => isTTY === true);
}

/** A script must not take half an answer for a whole one. */
function onLostOutput(error: Error): void {
  if (errnoOf(error) === "EPIPE") return;
  process.stderr.write(`localizer: Cannot print the output: ${reasonOf(error)}\n`);
  // Later than whatever the command says of itself.
  process.once("exit", () => {
    process.exitCode ||= 1;
  });
}

function onStop(listener: (request: StopRequest) => void): Disposable {
  using listening = new DisposableStack();
  for (const signal of stopSignals) {
    const onSignal = () => listener(signal);
    process.on(signal, onSignal);
    listening.defer(() => process.off(signal, onSignal));
  }
  return listening.move();
}
