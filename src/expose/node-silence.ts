/** Whether the pod's node has stopped to report, and for how long: such a pod stays as it was last seen, and nothing of it can be relied on. */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { SessionHoldings } from "./session-parts.ts";
import { watchedPod } from "./session-pod.ts";

/** A node that is restarted, or was cut off for a moment, is back by then. */
const lostMs = 40_000;

/** Watches it, from its making to its disposal. */
export class NodeSilence implements Disposable {
  readonly #clock: Clock;
  readonly #holdings: Pick<SessionHoldings, "pod" | "pods">;
  readonly #onGone: () => void;
  readonly #changes: Disposable;
  #uid = "";
  #timer: Disposable | undefined;
  #gone = new AbortController();

  /** @param onGone called when it has been silent for too long; it must not throw */
  constructor(clock: Clock, holdings: Pick<SessionHoldings, "pod" | "pods">, onGone: () => void) {
    this.#clock = clock;
    this.#holdings = holdings;
    this.#onGone = onGone;
    this.#changes = holdings.pods.onChange(() => this.look());
    this.look();
  }

  /** Whether it is silent now. */
  get isSilent(): boolean {
    return this.#timer !== undefined;
  }

  /** Fires when the present pod's node has been silent for too long; another one once it is heard of again, or with another pod. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** Looks at the pod that the session has now. */
  look(): void {
    const seen = watchedPod(this.#holdings);
    const state = seen?.state;
    const isSilent = state?.phase === "Unknown" || /^Node(NotReady|Lost)$/.test(state?.problem?.reason ?? "");
    if (isSilent && this.#timer !== undefined && seen?.uid === this.#uid) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#uid = seen?.uid ?? "";
    if (this.#gone.signal.aborted) this.#gone = new AbortController();
    if (!isSilent) return;
    this.#timer = this.#clock.after(lostMs, () => {
      this.#gone.abort(new LocalizerError("gone", `Node "${state?.node ?? ""}" does not report any more`));
      this.#onGone();
    });
  }

  [Symbol.dispose](): void {
    this.#changes[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
  }
}
