/** All that a command may do to the world outside: print, read the environment, hear that it should stop. */
import { type Clock, systemClock } from "../clock.ts";
import { errnoOf, reasonOf } from "../errors.ts";
import { withoutMallocSettings } from "../model/malloc-settings.ts";

const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** The signals that ask to stop. */
export type StopRequest = (typeof stopSignals)[number];

/** A program that runs beside this one, in the same terminal. */
export interface Child {
  /** Resolves with its exit code when it has ended; 128 and the signal's number when one has ended it. Never rejects. */
  readonly ended: Promise<number>;
  /** Tells it what this process was told, unless the terminal has told it already. */
  readonly passOn: (request: StopRequest) => void;
}

/** Starts a program that was looked for, with these variables beside its own. @throws LocalizerError `not-found` or `denied` */
export type StartChild = (variables?: Readonly<Record<string, string>>) => Promise<Child>;

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
      return await prepareChild(words, { env: process.env, isTerminal: process.stdin.isTTY === true });
    },
    exit: (code) => process.exit(code),
  };
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
