/** A child that speaks JSON lines, for tests that drive another process. */
import { type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** One fact that the child said: one field, as a rule. What it holds is the test's to know. */
type Fact = Readonly<Record<string, unknown>>;

/** The child. Disposing it kills it if it still runs. */
export interface RemoteProcess extends AsyncDisposable {
  readonly pid: number;
  /** What it wrote to standard error so far. */
  readonly stderr: () => string;
  /** The value of the next fact that has this field; earlier ones are skipped. Throws after a minute. */
  fact(field: string): Promise<unknown>;
  /** Waits until its standard output has held this text so many times (once), whole lines or not. Throws after a minute. */
  seen(text: string, times?: number): Promise<void>;
  /** Writes a JSON line. */
  tell(...words: readonly (string | number)[]): void;
  /** Writes these very bytes. */
  type(text: string): void;
  /** Exit code, or the signal's name. */
  readonly end: Promise<number | string>;
}

const factTimeoutMs = 60_000;

/** Starts it. */
export function startRemote(program: string, args: readonly string[], options: SpawnOptions = {}): RemoteProcess {
  const child = spawn(program, args, { ...options, stdio: ["pipe", "pipe", "pipe"] });
  const { stdin, stdout, stderr } = child;
  if (child.pid === undefined || stdin === null || stdout === null || stderr === null) {
    throw new Error(`Cannot start ${program}`);
  }
  const facts: Fact[] = [];
  const texts: string[] = [];
  let changed = Promise.withResolvers<void>();
  let isEnded = false;
  let output = "";
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  createInterface({ input: stdout }).on("line", (line) => {
    if (line.startsWith("{")) facts.push(JSON.parse(line));
    else texts.push(line);
    change();
  });
  stdout.on("data", (bytes) => {
    output += bytes;
    change();
  });
  stderr.on("data", (bytes) => texts.push(String(bytes)));
  stdin.on("error", () => {});
  const end = once(child, "close").then(([code, signal]): number | string => {
    isEnded = true;
    change();
    return code ?? signal;
  });
  return {
    pid: child.pid,
    stderr: () => texts.join("\n"),
    end,
    async seen(text, times = 1) {
      const deadline = deadlineWith(change);
      while (output.split(text).length <= times) {
        if (isEnded || deadline.aborted) throw new Error(`No "${text}" was seen: ${output}`);
        await changed.promise;
      }
    },
    async fact(field) {
      const deadline = deadlineWith(change);
      for (;;) {
        const fact = facts.shift();
        if (fact !== undefined && field in fact) return fact[field];
        if (fact !== undefined) {
          texts.push(JSON.stringify(fact));
          continue;
        }
        if (isEnded || deadline.aborted) throw new Error(`No "${field}" was said: ${texts.join("\n")}`);
        await changed.promise;
      }
    },
    tell: (...words) => void stdin.write(`${JSON.stringify(words)}\n`),
    type: (text) => void stdin.write(text),
    async [Symbol.asyncDispose]() {
      if (!isEnded) child.kill("SIGKILL");
      await end;
    },
  };
}

function deadlineWith(run: () => void): AbortSignal {
  const deadline = AbortSignal.timeout(factTimeoutMs);
  deadline.addEventListener("abort", run, { once: true });
  return deadline;
}
