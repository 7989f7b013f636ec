/** Contenders take turns, so that what changes on the machine meanwhile changes for all of them. */
import type { Contender, RunningContender } from "./contender.ts";
import type { Recorder } from "./results.ts";

/** How the turns go. */
export interface TurnOptions {
  readonly repeats: number;
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
  /** Is told of samples that failed. */
  readonly recorder: Pick<Recorder, "retaken">;
}

/** A contender, or something that runs it: twice, say. */
export interface Startable<R> extends Pick<Contender, "name"> {
  start(signal: AbortSignal): Promise<R>;
}

/** Takes one sample and returns what is recorded, so that a sample that fails half-way records nothing. */
export type TakeSample<T> = (subject: T, signal: AbortSignal) => Promise<() => void>;

/**
 * In each repeat every contender once, another one first each time. A sample that fails is taken once more; a second failure
 * is thrown.
 */
export async function inTurns<T extends Pick<Contender, "name">>(
  contenders: readonly T[],
  { repeats, signal, log, recorder }: TurnOptions,
  take: TakeSample<T>,
): Promise<void> {
  for (let repeat = 0; repeat < repeats; repeat++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(repeat + turn) % contenders.length];
      if (contender === undefined) continue;
      log(`  repeat ${repeat + 1} of ${repeats}: ${contender.name}`);
      const record = await take(contender, signal).catch(async (error: unknown) => {
        signal.throwIfAborted();
        const [reason = ""] = (error instanceof Error ? error.message : String(error)).split("\n");
        log(`  once more: ${reason}`);
        recorder.retaken(contender.name, reason);
        return await take(contender, signal);
      });
      // What an abort has cut short is no figure.
      signal.throwIfAborted();
      record();
    }
  }
}

/**
 * As `inTurns`, with contenders that run all the time: each is started and warmed up at its first turn, and again after a
 * sample that failed. All have ended when this returns or throws.
 */
export async function inTurnsRunning<R extends AsyncDisposable = RunningContender>(
  contenders: readonly Startable<R>[],
  options: TurnOptions,
  {
    warmUp,
    take,
  }: {
    readonly warmUp: (running: R, signal: AbortSignal) => Promise<void>;
    readonly take: (contender: Startable<R>, running: R, signal: AbortSignal) => Promise<() => void>;
  },
): Promise<void> {
  const running = new Map<Startable<R>, R>();
  const start = async (contender: Startable<R>, signal: AbortSignal) => {
    const started = await contender.start(signal);
    running.set(contender, started);
    await warmUp(started, signal);
    return started;
  };
  const stop = async (contender: Startable<R>) => {
    const stopped = running.get(contender);
    running.delete(contender);
    await stopped?.[Symbol.asyncDispose]();
  };
  try {
    await inTurns(contenders, options, async (contender, signal) => {
      try {
        return await take(contender, running.get(contender) ?? (await start(contender, signal)), signal);
      } catch (error) {
        await stop(contender);
        throw error;
      }
    });
  } finally {
    for (const contender of [...running.keys()]) await stop(contender);
  }
}
