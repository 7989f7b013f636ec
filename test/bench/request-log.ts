/** Requests at a steady pace from inside the cluster's network, and who answered each. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Address } from "./contender.ts";
import { startTool } from "./tool-process.ts";

/** One request on a connection of its own. Times in ms since 1970, comparable between the programs of this machine. */
export interface LoggedRequest {
  readonly startedMs: number;
  readonly endedMs: number;
  /** The name of who answered; absent when it failed. */
  readonly by?: string;
  /** Why it failed, in the system's word or "EMPTY", "CUT". */
  readonly failure?: string;
}

/** They are being sent. Disposing ends that. */
export interface RequestLog extends AsyncDisposable {
  /** Ends it, and gives all of them. */
  stop(): Promise<readonly LoggedRequest[]>;
}

const startTimeoutMs = 20_000;

/** Now, on the clock of `LoggedRequest`. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** `GET /` every `everyMs` from a network namespace. Resolves when one was answered; throws when none is in 20 s. */
export async function startRequests(
  { host, port }: Address,
  {
    everyMs,
    netnsPath,
    signal,
  }: { readonly everyMs: number; readonly netnsPath: string; readonly signal: AbortSignal },
): Promise<RequestLog> {
  await using all = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "localizer-bench-requests-"));
  all.defer(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "requests.json");
  const script = join(import.meta.dirname, "steady-requests.ts");
  const command = [process.execPath, script, `${host}:${port}`, String(everyMs), file];
  const tool = all.use(
    await startTool(["nsenter", `--net=${netnsPath}`, "--", ...command], {
      env: { PATH: process.env.PATH },
      readLine: (line) => (line === "ready" ? [line] : undefined),
      lines: 1,
      timeoutMs: startTimeoutMs,
      signal,
    }),
  );
  const works = all.move();
  return {
    async stop() {
      await tool.interrupt();
      // Written by steady-requests.ts, as this type.
      return JSON.parse(await readFile(file, "utf8")) as readonly LoggedRequest[];
    },
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}

/** What one command did to them, from when it was given until `untilMs`. */
export interface Effect {
  /** To the end of the first request that was sent afterwards, or was on its way, and that one of those wanted answered. */
  readonly firstMs: number | undefined;
  /** That were on their way, or sent, in that time. */
  readonly failed: number;
  /** Why, each reason once. */
  readonly reasons: readonly string[];
}

/** Pure. */
export function effectOf(
  requests: readonly LoggedRequest[],
  {
    sinceMs,
    untilMs,
    by,
  }: { readonly sinceMs: number; readonly untilMs: number; readonly by: (name: string) => boolean },
): Effect {
  const within = requests.filter(({ startedMs, endedMs }) => endedMs >= sinceMs && startedMs < untilMs);
  const wanted = within.filter((request) => request.by !== undefined && by(request.by));
  const failures = within.flatMap(({ failure }) => (failure === undefined ? [] : [failure]));
  return {
    firstMs: wanted.length === 0 ? undefined : Math.min(...wanted.map(({ endedMs }) => endedMs)) - sinceMs,
    failed: failures.length,
    reasons: [...new Set(failures)],
  };
}
