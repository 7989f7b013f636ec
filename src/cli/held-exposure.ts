/** An exposure that a command holds: begun, looked after, given back, each in the lines of the daemon. Used by stay-exposed. */
import { aborted } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { DaemonClient } from "../rpc/client.ts";
import type { ExposeLine, ExposeRequest } from "../rpc/exposing.ts";
import type { ListedExposure } from "../rpc/listed-exposure.ts";
import { leadsSentence } from "./exposure-text.ts";
import type { CliIo } from "./io.ts";
import { type ExposureEnd, exposureEnd, findExposure } from "./watch-exposure.ts";

/** What it works with. */
export interface HoldComponents {
  readonly io: CliIo;
  readonly client: DaemonClient;
  readonly say: (line: Pick<ExposeLine, "level" | "message">) => void;
}

/** One exposure, from its start on. */
export class HeldExposure {
  readonly #components: HoldComponents;
  readonly #wish: ExposeRequest;
  readonly #noWait: boolean;
  /** Which session it is; empty while it is not known. */
  #session = "";
  #isNoting: Promise<void> = Promise.resolve();
  /** When it was asked for, in ms since the epoch. */
  #askedMs = Number.POSITIVE_INFINITY;

  /** @param options.noWait giving back, do not wait until the workload is ready */
  constructor(components: HoldComponents, wish: ExposeRequest, { noWait }: { readonly noWait: boolean }) {
    this.#components = components;
    this.#wish = wish;
    this.#noWait = noWait;
  }

  /**
   * Begins it; resolves when traffic flows. The signal ends the looking on, not the start.
   * @param onPod called once, when nothing speaks against it any more and its pod is made; by an old daemon never
   * @throws LocalizerError as `expose`
   */
  async start(signal: AbortSignal, onPod: () => void = () => {}): Promise<void> {
    const { client, say } = this.#components;
    let last: ExposeLine | undefined;
    let hasPod = false;
    this.#askedMs = this.#components.io.clock.now();
    for await (const line of client.expose(this.#wish, { signal })) {
      say(line);
      last = line;
      if (line.step !== "pod" || hasPod) continue;
      hasPod = true;
      // As long as the lines go on, it can be no other one.
      this.#isNoting = this.#look().then(
        () => {},
        () => {},
      );
      onPod();
    }
    await this.#isNoting;
    if (this.#session !== "" && last?.step === "exposed") return;
    const exposure = await this.#look(signal);
    if (exposure !== undefined && last?.step !== "exposed") say({ level: "info", message: leadsSentence(exposure) });
  }

  /** Resolves with how it ends. @throws LocalizerError `aborted` when the signal fires */
  async ended(signal: AbortSignal): Promise<ExposureEnd> {
    const { io, client, say } = this.#components;
    return await exposureEnd({ client, clock: io.clock }, { ...this.#wish, session: this.#session }, say, signal);
  }

  /**
   * Gives it back, this session and no other. One that is gone already is fine.
   * @throws LocalizerError as `stopExpose`; `aborted` when the signal fires, and the rest is left to the daemon
   */
  async giveBack(signal: AbortSignal): Promise<void> {
    const { client, say } = this.#components;
    const { namespace, service } = this.#wish;
    await Promise.race([this.#isNoting, aborted(signal)]);
    let last: ExposeLine | undefined;
    try {
      const wish = { namespace, service, noWait: this.#noWait, session: this.#session };
      for await (const line of client.stopExpose(wish, { signal })) {
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

  /**
   * Gives back what the daemon may go on with after a failed start: it has not answered, or the connection was lost. What was exposed
   * before stays. Never rejects; says what fails.
   */
  async giveBackAfter(failure: unknown, signal: AbortSignal): Promise<void> {
    const { isAnswer } = await import("../rpc/status.ts");
    if (isAnswer(failure) || !["timeout", "unavailable"].includes(codeOf(failure))) return;
    let there: ListedExposure | undefined;
    try {
      there = await findExposure(this.#components.client, this.#wish, signal);
    } catch (thrown) {
      if (codeOf(thrown) === "no-daemon") return;
      // It may be an older one by now, or somebody else's: nothing is ended unseen.
      const { namespace, service } = this.#wish;
      const name = `${namespace}/${service}`;
      const message = `Cannot see whether "${name}" is exposed: "localizer expose --stop ${name}" gives it back if it is`;
      this.#components.say({ level: "error", message });
      return;
    }
    if (there !== undefined && there.since >= this.#askedMs) this.#session ||= there.session;
    else if (there !== undefined && there.state !== "lost") return;
    await this.giveBack(signal).catch((thrown: unknown) => {
      // One that has ended has given back, or its next start does.
      if (codeOf(thrown) === "no-daemon") return;
      this.#components.say({ level: "error", message: LocalizerError.from(thrown).message });
    });
  }

  async #look(signal?: AbortSignal): Promise<ListedExposure | undefined> {
    const exposure = await findExposure(this.#components.client, this.#wish, signal);
    this.#session ||= exposure?.session ?? "";
    return exposure;
  }
}
