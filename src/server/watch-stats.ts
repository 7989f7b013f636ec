/** The changes of what was counted, for one who watches: nothing is looked at while nobody does. Used by localizer-service. */
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { ServiceStats } from "../rpc/service-stats.ts";
import type { StatsChange } from "../rpc/stats.ts";

const defaultIntervalMs = 1_000;
const minIntervalMs = 100;
/** A look takes a twentieth of the time at most: with thousands of used services one takes tens of milliseconds. */
const restPerLook = 20;

/**
 * At once everything, then, once an interval at most, the services that have changed; nothing while none has. A reader who
 * is slow gets fewer changes, each with the newest figures. Ends when the signal fires, and leaves no timer then.
 * @param options.intervalMs 0 for one second; less than 100 counts as 100; longer where a look takes long
 */
export async function* watchStats(
  stats: () => readonly ServiceStats[],
  options: { readonly intervalMs: number; readonly clock: Clock; readonly signal: AbortSignal },
): AsyncGenerator<StatsChange, void, undefined> {
  const { clock, signal } = options;
  const intervalMs = Math.max(options.intervalMs || defaultIntervalMs, minIntervalMs);
  let sent: ReadonlyMap<string, ServiceStats> | undefined;
  while (!signal.aborted) {
    const startedMs = clock.monotonic();
    const now = new Map(stats().map((service) => [`${service.namespace}/${service.name}`, service]));
    const change = changeOf(sent ?? new Map(), now);
    const tookMs = clock.monotonic() - startedMs;
    if (sent === undefined || change.services.length > 0 || change.removed.length > 0) yield change;
    sent = now;
    try {
      await clock.sleep(Math.max(intervalMs, restPerLook * tookMs), signal);
    } catch (error) {
      if (codeOf(error) !== "aborted") throw error;
    }
  }
}

function changeOf(before: ReadonlyMap<string, ServiceStats>, now: ReadonlyMap<string, ServiceStats>): StatsChange {
  return {
    services: [...now].flatMap(([key, service]) => (isDeepStrictEqual(before.get(key), service) ? [] : [service])),
    removed: [...before].flatMap(([key, { namespace, name }]) => (now.has(key) ? [] : [{ namespace, name }])),
  };
}
