/** Requests at a steady rate, from a process of their own. */
import { join } from "node:path";
import type { Address } from "./contender.ts";
import { startTool } from "./tool-process.ts";

/** With a download still fewer than localizer lets a pod have before streams share. */
export const loadConnections = 5;
/** Starting and the last answers. */
const extraMs = 20_000;

/** What came of them: times in ms. */
export interface LoadResult {
  readonly unanswered: number;
  readonly p50Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** How much, and where from. */
export interface LoadOptions {
  readonly perSecond: number;
  readonly forMs: number;
  /** A network namespace to send from; this one's unless given. */
  readonly netnsPath?: string;
  readonly signal: AbortSignal;
}

/** Resolves when it is over. Throws when nothing was answered. */
export async function runLoad(address: Address, options: LoadOptions): Promise<LoadResult> {
  const { perSecond, forMs, netnsPath, signal } = options;
  const inside = netnsPath === undefined ? [] : ["nsenter", `--net=${netnsPath}`, "--"];
  const script = join(import.meta.dirname, "request-load.ts");
  const numbers = [perSecond, forMs, loadConnections].map(String);
  await using tool = await startTool(
    [...inside, process.execPath, script, `${address.host}:${address.port}`, ...numbers],
    {
      env: { PATH: process.env.PATH },
      readLine: (line) => (line.startsWith("load ") ? line.split(" ").slice(1) : undefined),
      lines: 1,
      timeoutMs: forMs + extraMs,
      signal,
    },
  );
  const [answered = 0, sent = 0, p50Ms, , p999Ms, maxMs] = (tool.facts[0] ?? []).map(Number);
  if (p50Ms === undefined || p999Ms === undefined || maxMs === undefined) {
    throw new Error(`None of ${sent} requests was answered`);
  }
  return { unanswered: sent - answered, p50Ms, p999Ms, maxMs };
}
