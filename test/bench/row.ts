/** What every row is given. */
import type { RunningContender } from "./contender.ts";
import { demandAll, echoAll } from "./echo.ts";
import type { Lab } from "./lab.ts";
import type { Recorder } from "./results.ts";
import type { Settings } from "./settings.ts";

/** Measures one row into the recorder. Throws when it cannot. */
export type Row = (context: RowContext) => Promise<void>;

/** Opened for one run of one row. */
export interface RowContext {
  readonly settings: Settings;
  readonly recorder: Recorder;
  readonly signal: AbortSignal;
  /** Progress, for people. */
  readonly log: (line: string) => void;
  readonly openLab: (wish: Pick<Lab, "ports"> & { readonly services: number }) => Promise<Lab>;
}

/**
 * What a closed connection leaves behind may be paid for late: the runtime sends on for a second, and localizer holds back the
 * client's FIN for 5 s. Waited for after every sample, so that it is counted and does not meet the next contender.
 */
export const settleMs = 8_000;

/** What the rows run. */
export const packageNote = "localizer is compiled, as it is published, and runs on a copy of Node that only it shares";

const warmUpConnections = 20;

/** A few echoes that do not count. */
export async function warmUp(running: RunningContender, signal: AbortSignal): Promise<void> {
  const addresses = Array.from({ length: warmUpConnections }, () => running.address("echo"));
  demandAll(await echoAll(addresses, { workers: 1, signal }));
}
