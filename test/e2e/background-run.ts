/** `localizer up` on a terminal that a test can type on and close, and what is left of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { waitFor } from "../cluster/wait.ts";
import { isAlive } from "./processes.ts";

/** A terminal with one command line on it, which stays open until it is closed. */
export interface Terminal extends AsyncDisposable {
  /** All that it has shown so far. */
  output(): string;
  type(text: string): void;
  /** Waits until it has shown this. Throws with its output after 60 s. */
  shows(pattern: RegExp): Promise<void>;
  /** Closes it as a terminal program that is killed does: everybody on it gets a HUP. */
  close(): Promise<void>;
}

/** Runs words on a pseudo-terminal, by a shell that Ctrl-C does not end; `as` are words that put on a user. A line "ended with <code>" follows. */
export function openTerminal(as: readonly string[], words: readonly string[], env = process.env): Terminal {
  const line = `trap : INT; ${words.map((word) => `'${word}'`).join(" ")}; echo "ended with $?"; sleep 600`;
  const [program = "", ...rest] = [...as, "script", "-qfc", line, "/dev/null"];
  const child = spawn(program, rest, { stdio: ["pipe", "pipe", "pipe"], env });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  child.stdin.on("error", () => {});
  const closed = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const close = async () => {
    child.kill("SIGKILL");
    await closed;
  };
  return {
    output: () => output,
    type: (text) => void child.stdin.write(text),
    async shows(pattern) {
      await waitFor(`the terminal to show ${pattern}`, () => pattern.test(output) || hasEnded(child), {
        timeoutMs: 60_000,
        intervalMs: 20,
      }).catch((error: unknown) => {
        throw new Error(`It shows:\n${output}`, { cause: error });
      });
      if (!pattern.test(output)) throw new Error(`It ended, showing:\n${output}`);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Living processes whose command line has this word, as "pid: command line". */
export function processesWith(word: string): readonly string[] {
  return readdirSync("/proc").flatMap((entry) => {
    if (!/^\d+$/.test(entry) || !isAlive(Number(entry))) return [];
    try {
      const words = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0");
      return words.includes(word) ? [`${entry}: ${words.join(" ")}`] : [];
    } catch {
      return [];
    }
  });
}

/** Ends what a failed test has left of them. */
export function leftovers(word: string): Disposable {
  return {
    [Symbol.dispose]() {
      for (const line of processesWith(word)) process.kill(Number.parseInt(line, 10), "SIGKILL");
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
