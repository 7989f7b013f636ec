/**
 * An exposure that lasts as long as this command: until Ctrl-C, or until a program ends. Promises that it is given back then, and
 * that a second Ctrl-C leaves that to the daemon. Used by expose.
 */
import { aborted } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { ExposeRequest } from "../rpc/exposing.ts";
import type { Child, StartChild } from "./child.ts";
import { stopCodes } from "./exit-code.ts";
import { HeldExposure, type HoldComponents } from "./held-exposure.ts";
import { StopRequests } from "./stop-requests.ts";
import type { ExposureEnd } from "./watch-exposure.ts";

/** What is exposed, and for how long. */
export interface Stay {
  readonly wish: ExposeRequest;
  /** Giving back, do not wait until the workload is ready. */
  readonly noWait: boolean;
  /** Starts the program that it is for; undefined: it is for whoever presses Ctrl-C. */
  readonly start?: StartChild;
}

/**
 * The program's exit code, or 0 after Ctrl-C; what a shell gives for the signal when that came before there was a program.
 * @throws LocalizerError as `expose` and `stopExpose` do; why the exposure is over when somebody else has ended it; `aborted` when giving
 * back is left to the daemon
 */
export async function stayExposed(components: HoldComponents, { wish, noWait, start }: Stay): Promise<number> {
  const asked = new StopRequests();
  using _listening = components.io.onStop((request) => asked.hear(request));
  // A program listens when it has come up, and would come up too late if it had to wait for traffic.
  const held = new HeldExposure(components, { ...wish, awaitLocal: start !== undefined }, { noWait });
  return start === undefined
    ? await inForeground(components, held, asked)
    : await withProgram(components, held, asked, start);
}

async function inForeground({ say }: HoldComponents, held: HeldExposure, asked: StopRequests): Promise<number> {
  try {
    await held.start(asked.once);
  } catch (thrown) {
    if (!asked.once.aborted) {
      await held.giveBackAfter(thrown, asked.next());
      throw thrown;
    }
  }
  if (!asked.once.aborted) {
    say({ level: "info", message: "Ctrl-C gives it back" });
    const { end } = await overWith(held, aborted(asked.once));
    if (end?.isSettled) throw end.error;
    if (end !== undefined) {
      say({ level: "warn", message: end.error.message });
      await held.giveBack(asked.next());
      throw end.error;
    }
  }
  await held.giveBack(asked.next());
  return 0;
}

async function withProgram(
  components: HoldComponents,
  held: HeldExposure,
  asked: StopRequests,
  start: StartChild,
): Promise<number> {
  const { say } = components;
  // Nobody waits for traffic any more: the program has ended, or could not be started.
  const enough = new AbortController();
  let launched: Promise<Child> | undefined;
  const launch = (): Promise<Child> => {
    launched ??= start().then((child) => {
      // What came while it was being started is meant for it, too.
      asked.sendTo(child);
      void child.ended.then(() => enough.abort());
      return child;
    });
    launched.catch(() => enough.abort());
    return launched;
  };
  let failure: unknown;
  try {
    await held.start(AbortSignal.any([asked.once, enough.signal]), () => void launch().catch(() => {}));
  } catch (thrown) {
    if (!asked.once.aborted && !enough.signal.aborted) failure = thrown;
  }
  if (launched === undefined) {
    if (failure !== undefined) {
      await held.giveBackAfter(failure, asked.next());
      throw failure;
    }
    const { first } = asked;
    if (first !== undefined) {
      await held.giveBack(asked.next());
      return stopCodes[first];
    }
  }
  let child: Child;
  try {
    child = await launch();
  } catch (thrown) {
    if (failure === undefined) await held.giveBack(asked.next());
    else await held.giveBackAfter(failure, asked.next());
    throw failure ?? thrown;
  }
  if (failure !== undefined) {
    // It was for an exposure.
    say({ level: "error", message: `Ending the program: ${LocalizerError.from(failure).message}` });
    child.passOn("SIGTERM");
    await child.ended;
    asked.sendTo(undefined);
    await held.giveBackAfter(failure, asked.next());
    throw failure;
  }
  const { value: code = 1, end } = enough.signal.aborted
    ? { value: await child.ended }
    : await overWith(held, child.ended, ({ error }) => say({ level: "warn", message: error.message }));
  asked.sendTo(undefined);
  if (end?.isSettled) return code;
  try {
    await held.giveBack(asked.next());
  } catch (thrown) {
    if (code === 0) throw thrown;
    say({ level: "error", message: LocalizerError.from(thrown).message });
  }
  return code;
}

/** Waits for `until`, or for the exposure's end; with `onEnd` that is told, and waiting goes on. */
async function overWith<T>(
  held: HeldExposure,
  until: Promise<T>,
  onEnd?: (end: ExposureEnd) => void,
): Promise<{ readonly value?: T; readonly end?: ExposureEnd }> {
  const enough = new AbortController();
  const ending = held
    .ended(enough.signal)
    .then((end) => ({ end }))
    .catch(() => ({}));
  const value = until.then((given) => ({ value: given }));
  const first: { readonly value?: T; readonly end?: ExposureEnd } = await Promise.race([value, ending]);
  enough.abort();
  if (first.end === undefined || onEnd === undefined) return first;
  onEnd(first.end);
  return { ...(await value), end: first.end };
}
