/** How long a process's event loop was held up, by `loop-monitor.ts` inside it. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../cluster/wait.ts";
import { loopFolderVariable } from "./loop-monitor.ts";

const timeoutMs = 5_000;

/** Where processes that are started with this environment report. Disposing removes it. */
export interface LoopStalls extends AsyncDisposable {
  readonly env: NodeJS.ProcessEnv;
  /** The longest stall of a process since it was asked last, in ms. Throws when it does not say. */
  longestMs(pid: number, signal: AbortSignal): Promise<number>;
}

/** Makes the folder. */
export async function openLoopStalls(): Promise<LoopStalls> {
  const folder = await mkdtemp(join(tmpdir(), "localizer-bench-loop-"));
  return {
    env: {
      NODE_OPTIONS: `--import=${join(import.meta.dirname, "loop-monitor.ts")}`,
      [loopFolderVariable]: folder,
    },
    async longestMs(pid, signal) {
      const path = join(folder, String(pid));
      await rm(path, { force: true });
      process.kill(pid, "SIGUSR2");
      const text = await waitFor("the event loop's monitor", () => readFile(path, "utf8"), {
        timeoutMs,
        intervalMs: 10,
        signal,
      });
      return Number(text);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
