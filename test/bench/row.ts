/** What every row is given. */
import type { RunningContender } from "./contender.ts";
import { demandAll, echoAll } from "./echo.ts";
import type { Lab, LabWish } from "./lab.ts";
import type { Recorder } from "./results.ts";
import type { Settings } from "./settings.ts";

/** One row of the table. */
export interface Row {
  /** Measures into the recorder. Throws when it cannot. */
  readonly measure: (context: RowContext) => Promise<void>;
  /** A paragraph for the document: what keeps the figures from being better. */
  readonly limits: string;
}

/** Opened for one run of one row. */
export interface RowContext {
  readonly settings: Settings;
  readonly recorder: Recorder;
  readonly signal: AbortSignal;
  /** Progress, for people. */
  readonly log: (line: string) => void;
  readonly openLab: (wish: LabWish) => Promise<Lab>;
}

/**
 * What a closed connection leaves behind may be paid for late: the runtime sends on for a second, and localizer waits up to 2 s
 * for the answers to its pings. Waited for after a sample, so that it is counted and does not meet the next contender.
 */
export const settleMs = 3_000;

/** What the rows run. */
export const packageNote = "localizer is compiled, as it is published, and runs on a copy of Node that only it shares";

const warmUpConnections = 20;

/** A few echoes that do not count, one after the other. */
export async function warmUp(
  running: RunningContender,
  signal: AbortSignal,
  connections: number = warmUpConnections,
): Promise<void> {
  const addresses = Array.from({ length: connections }, () => running.address("echo"));
  demandAll(await echoAll(addresses, { workers: 1, signal }));
}
