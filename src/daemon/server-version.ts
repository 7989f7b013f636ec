/** The API server's version: with another one, what was found out about its port-forwards may hold no more. */
import type { Clock } from "../clock.ts";
import { textAt } from "../kube/json.ts";

/** Asked again no more often, and only by who uses it. */
const everyMs = 60_000;

/** What it asks with. */
export interface VersionClient {
  getJson(path: string, options: { readonly signal: AbortSignal }): Promise<unknown>;
}

/** What it works with. */
export interface ServerVersionParts {
  readonly client: VersionClient;
  readonly clock: Clock;
}

/** Knows the version of a while ago. Disposing it ends a question that is under way. */
export class ServerVersion implements AsyncDisposable {
  readonly #parts: ServerVersionParts;
  readonly #stop = new AbortController();
  #known: string;
  #askedMs: number;
  #asking: Promise<void> | undefined;

  /** @param known at the start; empty where it is not told */
  constructor(parts: ServerVersionParts, known: string) {
    this.#parts = parts;
    this.#known = known;
    this.#askedMs = parts.clock.monotonic();
  }

  /** What is known; asks anew in the background when that is a minute old. */
  look(): string {
    const { clock } = this.#parts;
    if (this.#asking === undefined && clock.monotonic() - this.#askedMs >= everyMs) {
      this.#askedMs = clock.monotonic();
      this.#asking = this.#ask().finally(() => {
        this.#asking = undefined;
      });
    }
    return this.#known;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#asking;
  }

  async #ask(): Promise<void> {
    try {
      this.#known = versionOf(await this.#parts.client.getJson("/version", { signal: this.#stop.signal }));
    } catch {
      // A server that does not answer now is no other one; whoever needs it will hear of it.
    }
  }
}

/** The words that change with every build; empty for what is no version. */
export function versionOf(answer: unknown): string {
  return [textAt(answer, "gitVersion"), textAt(answer, "gitCommit")].filter((word) => word !== undefined).join(" ");
}
