/** A command line without a process: what was printed, a clock to step by hand, requests to stop on call. */
import type { StartChild, StopRequest } from "../../src/cli/child.ts";
import type { CliIo } from "../../src/cli/io.ts";
import { type Clock, systemClock } from "../../src/clock.ts";
import { LocalizerError } from "../../src/errors.ts";

/** What `fakeIo` gives beside the `CliIo`. */
export interface FakeIo extends CliIo {
  readonly out: () => string;
  readonly err: () => string;
  readonly exits: readonly number[];
  /** Asks everybody who listens to stop. */
  readonly ask: (request: StopRequest) => void;
  /** How many listen for it. */
  readonly listening: () => number;
}

/** What a command line without a process says of programs that a test does not bring. */
async function noProgram(): Promise<StartChild> {
  throw new LocalizerError("not-found", "There are no programs here");
}

/** Name a socket in its environment or flags, else commands look where daemons of this machine are. */
export function fakeIo(
  env: NodeJS.ProcessEnv = {},
  clock: Clock = systemClock,
  prepareChild: CliIo["prepareChild"] = noProgram,
): FakeIo {
  const out: string[] = [];
  const err: string[] = [];
  const exits: number[] = [];
  const listeners = new Set<(request: StopRequest) => void>();
  return {
    stdout: (text) => void out.push(text),
    stderr: (text) => void err.push(text),
    env,
    uid: 65_532,
    clock,
    onStop(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    prepareChild,
    exit: (code) => void exits.push(code),
    out: () => out.join(""),
    err: () => err.join(""),
    exits,
    ask: (request) => {
      for (const listener of listeners) listener(request);
    },
    listening: () => listeners.size,
  };
}
