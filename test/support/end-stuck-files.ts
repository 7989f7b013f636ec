/**
 * Ends test files that do not end by themselves. Node's runner waits without a bound for a file's process, and for whoever
 * else has its output open: `--test-timeout` ends a test, not the process, and not even that while the process is blocked.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** A line of the table of processes. */
interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly args: string;
}

/** How long a file may take, and who hears which one took longer. */
export interface EndStuckFilesOptions {
  readonly fileTimeoutMs: number;
  readonly log: (line: string) => void;
  readonly pollMs?: number;
}

/**
 * Watches the files that the runner with this pid runs, until disposed. One that takes longer is killed with the processes
 * that it started, which the runner reports as a failure of that file. If a file's process has ended and another one keeps its
 * output open, the runner itself is asked to end, and says in which file it was.
 */
export function endStuckFiles(runner: number, options: EndStuckFilesOptions): Disposable {
  const { fileTimeoutMs, log, pollMs = 2_000 } = options;
  let sinceMs = new Map<number, number>();
  let isLooking = false;

  async function look(): Promise<void> {
    const table = await processTable();
    const files = table.filter(({ parent }) => parent === runner);
    const waitedFor = files.length > 0 ? files : table.filter(({ pid }) => pid === runner);
    const nowMs = performance.now();
    sinceMs = new Map(waitedFor.map(({ pid }) => [pid, sinceMs.get(pid) ?? nowMs]));
    for (const each of waitedFor) {
      if (nowMs - (sinceMs.get(each.pid) ?? nowMs) < fileTimeoutMs) continue;
      const seconds = fileTimeoutMs / 1000;
      if (each.pid === runner) {
        log(`a file left a process behind that keeps its output open for ${seconds} s`);
        signal(runner, "SIGTERM");
      } else {
        log(`${fileIn(each.args)} did not end within ${seconds} s`);
        for (const { pid } of withDescendants(each, table)) signal(pid, "SIGKILL");
      }
    }
  }

  const timer = setInterval(() => {
    if (isLooking) return;
    isLooking = true;
    look()
      .catch((error) => log(`cannot watch the files: ${error.message}`))
      .finally(() => {
        isLooking = false;
      });
  }, pollMs);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

async function processTable(): Promise<readonly Process[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-ww", "-o", "pid=,ppid=,args="], { maxBuffer: 1 << 26 });
  return stdout.split("\n").flatMap((line) => {
    const [, pid, parent, args = ""] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return pid === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), args }];
  });
}

function withDescendants(top: Process, table: readonly Process[]): readonly Process[] {
  const children = table.filter(({ parent }) => parent === top.pid);
  return [top, ...children.flatMap((child) => withDescendants(child, table))];
}

/** The runner gives a file as the last argument. */
function fileIn(args: string): string {
  return /\S+$/.exec(args)?.[0] ?? args;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has just ended.
  }
}
