/** Looks whether local processes listen before traffic comes to them: with nobody there an exposure is an outage. */
import type { Clock } from "../clock.ts";
import type { LocalSide } from "./local-side.ts";
import { fullList } from "./quoted-list.ts";
import type { StepOptions } from "./session-parts.ts";

type Sides = readonly Pick<LocalSide, "local" | "isListening">[];

/** A program that has not come up by then may need what others do first. */
const waitMs = 60_000;
const lookEveryMs = 200;

/**
 * Makes the step. It warns of the ports where nobody listens and goes on; if they are awaited it waits for all of them first, 60 s at
 * most in all of its calls. What has ended once ends at once afterwards.
 * @returns the step, which throws LocalizerError `aborted`
 */
export function localListeners(
  clock: Clock,
  sides: Sides,
  { isAwaited }: { readonly isAwaited: boolean },
): (options: StepOptions) => Promise<void> {
  /** One for each port where nobody was found yet. */
  let silent: Sides = [...new Map(sides.map((side) => [side.local, side])).values()];
  let untilMs: number | undefined;

  // Who listens is not asked again: each connection costs a server that takes only one.
  const silentOf = async (sides: Sides, signal: AbortSignal): Promise<Sides> => {
    const looks = await Promise.all(sides.map(async (side) => ({ side, is: await side.isListening(signal) })));
    return looks.flatMap(({ side, is }) => (is ? [] : [side]));
  };

  return async ({ signal, report }) => {
    if (silent.length === 0) return;
    silent = await silentOf(silent, signal);
    if (isAwaited && silent.length > 0) {
      report({ level: "info", step: "local", message: `Waiting for ${named(silent)}` });
      untilMs ??= clock.monotonic() + waitMs;
      while (silent.length > 0 && clock.monotonic() < untilMs) {
        await clock.sleep(lookEveryMs, signal);
        silent = await silentOf(silent, signal);
      }
    }
    if (silent.length === 0) return;
    const message = `Nothing listens on ${named(silent)} yet: what comes there is refused until something does`;
    report({ level: "warn", step: "local", message });
    silent = [];
  };
}

function named(sides: Sides): string {
  return fullList(sides.map(({ local }) => `localhost:${local}`));
}
