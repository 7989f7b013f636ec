/** What callers have asked before a session's pod goes: the local process may still answer it. */
import type { Clock } from "../clock.ts";
import type { LocalSide } from "./local-side.ts";
import type { StepOptions } from "./session-parts.ts";

const lookEveryMs = 50;
/** A tenth of what a pod has for it by default: whoever stops waits, and some protocols never pause. */
const mostMs = 3_000;
/** The last answer is still on its way to the pod when the process has said it. */
const onItsWayMs = 200;

/**
 * Resolves once no caller waits for an answer, or after 3 s; says beforehand on how many connections somebody does, and when
 * the time is over on how many still. An answer that has begun is not waited for: nobody knows what is to follow.
 * @throws LocalizerError `aborted`
 */
export async function lastLocalAnswers(
  clock: Clock,
  sides: readonly Pick<LocalSide, "unanswered">[],
  { signal, report }: StepOptions,
): Promise<void> {
  const unanswered = () => sides.reduce((sum, side) => sum + side.unanswered, 0);
  const atFirst = unanswered();
  if (atFirst === 0) return;
  const say = (level: "info" | "warn", message: string) => report({ level, step: "clean-up", message });
  say("info", `The local process has ${mostMs / 1_000} s to answer on ${connections(atFirst)}`);
  const untilMs = clock.monotonic() + mostMs;
  while (clock.monotonic() < untilMs) {
    await clock.sleep(lookEveryMs, signal);
    if (unanswered() === 0) return await clock.sleep(onItsWayMs, signal);
  }
  say("warn", `Cut off: ${connections(unanswered())} on which the caller spoke last`);
}

function connections(count: number): string {
  return count === 1 ? "one connection" : `${count} connections`;
}
