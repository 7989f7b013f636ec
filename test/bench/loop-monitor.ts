/**
 * Loaded into localizer by `NODE_OPTIONS=--import=…`, by the bench alone: watches the event loop, and on SIGUSR2 writes the longest
 * delay since the last one, in ms, into a file named like the process in the folder that the environment names.
 */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";

/** Names the folder for the files. Without it nothing is watched. */
export const loopFolderVariable = "LOCALIZER_BENCH_LOOP_FOLDER";

/** How often it looks. */
const resolutionMs = 2;

const folder = process.env[loopFolderVariable];
if (folder !== undefined) {
  const delays = monitorEventLoopDelay({ resolution: resolutionMs });
  delays.enable();
  process.on("SIGUSR2", () => {
    const path = join(folder, String(process.pid));
    // Its timer's own interval is a part of each delay.
    writeFileSync(`${path}.new`, String(Math.max(0, delays.max / 1e6 - resolutionMs)));
    renameSync(`${path}.new`, path);
    delays.reset();
  });
}
