/** Looks whether the namespaces that the user has named exist: one that is mistyped looks like one without Services. */
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import type { ApiClient } from "../kube/api-client.ts";
import type { Logger } from "../log.ts";

/** Until all exist. */
const retryMs = 60_000;

/** What it works with. */
export interface NamedNamespacesComponents {
  readonly client: Pick<ApiClient, "getJson">;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Asks from its making until all exist or may not be asked for, or it is disposed. */
export class NamedNamespaces implements AsyncDisposable {
  readonly #components: NamedNamespacesComponents;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #missing: readonly string[] = [];

  constructor(components: NamedNamespacesComponents, namespaces: readonly string[]) {
    this.#components = components;
    this.#running = this.#run([...new Set(namespaces)]);
  }

  /** A sentence for each that does not exist. */
  get notices(): readonly string[] {
    return this.#missing.map((name) => `There is no namespace "${name}" in this cluster`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(namespaces: readonly string[]): Promise<void> {
    const { clock, log } = this.#components;
    const { signal } = this.#stop;
    let asked = namespaces;
    while (asked.length > 0 && !signal.aborted) {
      const missing: string[] = [];
      for (const name of asked) if (await this.#isMissing(name)) missing.push(name);
      if (signal.aborted) return;
      for (const name of missing) {
        if (!this.#missing.includes(name)) log.warn("There is no such namespace", { namespace: name });
      }
      this.#missing = missing;
      asked = missing;
      if (asked.length > 0) await clock.sleep(retryMs, signal).catch(() => {});
    }
  }

  /** Who may not ask, or gets no answer, knows nothing. */
  async #isMissing(name: string): Promise<boolean> {
    const { client } = this.#components;
    try {
      await client.getJson(`/api/v1/namespaces/${name}`, { signal: this.#stop.signal });
      return false;
    } catch (error) {
      return codeOf(error) === "not-found";
    }
  }
}
