/**
 * An exposure that lasts as long as this command: until Ctrl-C, or until a program ends. Promises that it is given back then, and
 * that a second Ctrl-C leaves that to the daemon. Used by expose.
 */
import { aborted } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { DaemonClient } from "../rpc/client.ts";
import type { ExposeLine, ExposeRequest } from "../rpc/exposing.ts";
import type { Child, StartChild, StopRequest } from "./child.ts";
import { leadsSentence } from "./exposure-text.ts";
import type { CliIo } from "./io.ts";
import { exposureEnd, findExposure } from "./watch-exposure.ts";

/** What is exposed, and for how long. */
export interface Stay {
  readonly wish: ExposeRequest;
  /** Giving back, do not wait until the workload is ready. */
  readonly noWait: boolean;
  /** Starts the program that it is for; undefined: it is for whoever presses Ctrl-C. */
  readonly start?: StartChild;
}

interface Components {
  readonly io: CliIo;
  readonly client: DaemonClient;
  readonly say: (line: Pick<ExposeLine, "level" | "message">) => void;
}

/**
 * The program's exit code, or 0 after Ctrl-C.
 * @throws LocalizerError as `expose` and `stopExpose` do; why the exposure is over when somebody else has ended it; `aborted` when giving
 * back is left to the daemon
 */
export async function stayExposed(components: Components, stay: Stay): Promise<number> {
  const { io, say } = components;
  const asked = new StopRequests();
  using _listening = io.onStop((request) => asked.hear(request));
  if (!(await started(components, stay, asked.once))) {
    await giveBack(components, stay, asked);
    return 0;
  }
  if (stay.start === undefined) {
    const over = await overWith(components, stay, aborted(asked.once));
    if (over.end !== undefined) throw over.end;
    await giveBack(components, stay, asked);
    return 0;
  }
  let child: Child;
  try {
    child = await stay.start();
  } catch (thrown) {
    await giveBack(components, stay, asked);
    throw thrown;
  }
  // Those that came while the program was being started are meant for it, too.
  asked.sendTo(child);
  const { value: code = 1, end } = await overWith(components, stay, child.ended, (error) => {
    say({ level: "warn", message: error.message });
  });
  asked.sendTo(undefined);
  if (end !== undefined) return code;
  try {
    await giveBack(components, stay, asked);
  } catch (thrown) {
    if (code === 0) throw thrown;
    say({ level: "error", message: LocalizerError.from(thrown).message });
  }
  return code;
}

/** Who hears that it should stop: the start, the program, or the giving back. */
class StopRequests {
  readonly #once = new AbortController();
  #child: Child | undefined;
  #early: StopRequest[] = [];
  #listener: (() => void) | undefined;

  /** Fires with the first that no program hears. */
  get once(): AbortSignal {
    return this.#once.signal;
  }

  hear(request: StopRequest): void {
    if (this.#child !== undefined) this.#child.passOn(request);
    else if (this.#listener !== undefined) this.#listener();
    else {
      this.#early.push(request);
      this.#once.abort();
    }
  }

  sendTo(child: Child | undefined): void {
    this.#child = child;
    // The terminal told it nothing: there was no program yet.
    for (const request of this.#early.splice(0)) child?.passOn(request === "SIGINT" ? "SIGTERM" : request);
  }

  /** Fires with the next one. */
  next(): AbortSignal {
    const next = new AbortController();
    this.#listener = () => next.abort();
    return next.signal;
  }
}

/** False when it was to stop before traffic flowed. */
async function started({ client, say }: Components, { wish, start }: Stay, signal: AbortSignal): Promise<boolean> {
  let last: ExposeLine | undefined;
  try {
    for await (const line of client.expose(wish, { signal })) {
      say(line);
      last = line;
    }
    if (last?.step !== "exposed") {
      const exposure = await findExposure(client, wish, signal);
      if (exposure !== undefined) say({ level: "info", message: leadsSentence(exposure) });
    }
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
    return false;
  }
  if (signal.aborted) return false;
  if (start === undefined) say({ level: "info", message: "Ctrl-C gives it back" });
  return true;
}

/** Waits for `until`, or for the exposure's end; with `onEnd` that is told, and waiting goes on. */
async function overWith<T>(
  { io, client, say }: Components,
  { wish }: Stay,
  until: Promise<T>,
  onEnd?: (error: LocalizerError) => void,
): Promise<{ readonly value?: T; readonly end?: LocalizerError }> {
  const enough = new AbortController();
  const ending = exposureEnd({ client, clock: io.clock }, wish, say, enough.signal)
    .then((end) => ({ end }))
    .catch(() => ({}));
  const value = until.then((given) => ({ value: given }));
  const first: { readonly value?: T; readonly end?: LocalizerError } = await Promise.race([value, ending]);
  enough.abort();
  if (first.end === undefined || onEnd === undefined) return first;
  onEnd(first.end);
  return { ...(await value), end: first.end };
}

async function giveBack({ client, say }: Components, { wish, noWait }: Stay, asked: StopRequests): Promise<void> {
  const { namespace, service } = wish;
  const signal = asked.next();
  let last: ExposeLine | undefined;
  try {
    for await (const line of client.stopExpose({ namespace, service, noWait }, { signal })) {
      say(line);
      last = line;
    }
  } catch (thrown) {
    // It was undone already, by the daemon or by somebody.
    if (codeOf(thrown) === "not-found") return;
    if (!signal.aborted) throw thrown;
    const sentence = `Left to the daemon, which goes on giving "${namespace}/${service}" back: "localizer list" shows how it stands`;
    throw new LocalizerError("aborted", sentence, { cause: thrown });
  }
  if (last?.step !== "ended") say({ level: "info", message: `Service "${namespace}/${service}" is given back` });
}
