/**
 * Which context the kubeconfig calls current while the daemon serves another: a user who switches must not believe that
 * the names now lead to the new cluster. Looks every 5 s at the files' marks and reads only what changed; a file that
 * cannot be read, or is just being written, changes nothing. Used by daemon, when no --context was given.
 */
import { stat } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import { type KubeconfigSource, kubeconfigPaths, readKubeconfig } from "../kube/kubeconfig-merge.ts";
import type { Logger } from "../log.ts";

/** What it needs. */
export interface CurrentContextComponents {
  readonly clock: Clock;
  readonly log: Logger;
  /** What tells a file from its next version; may throw when there is no file. `fileMark` is the real one. */
  readonly markOf: (path: string) => Promise<string | undefined>;
}

/** What it follows. */
export interface CurrentContextOptions {
  readonly kubeconfig: KubeconfigSource;
  /** The context that the daemon serves. */
  readonly served: string;
}

const intervalMs = 5_000;

/** The time of its last change, its size and its number. */
export async function fileMark(path: string): Promise<string> {
  const { mtimeNs, size, ino } = await stat(path, { bigint: true });
  return `${mtimeNs} ${size} ${ino}`;
}

/** Follows the kubeconfig's current context until disposed. */
export class CurrentContext implements AsyncDisposable {
  readonly #components: CurrentContextComponents;
  readonly #options: CurrentContextOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  #current: string;
  /** Of the files as last read; undefined: read them. */
  #marks: string | undefined;

  constructor(components: CurrentContextComponents, options: CurrentContextOptions) {
    this.#components = components;
    this.#options = options;
    this.#current = options.served;
    this.#loop = this.#follow();
  }

  /** A sentence for the user while the current context is not the one served. */
  get notice(): string | undefined {
    if (this.#current === this.#options.served) return undefined;
    return `The kubeconfig's current context is now "${this.#current}"; this daemon serves "${this.#options.served}"`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  async #follow(): Promise<void> {
    const { clock, log } = this.#components;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await clock.sleep(intervalMs, signal);
        await this.#look();
      } catch (error) {
        if (codeOf(error) !== "aborted") log.debug("Cannot follow the kubeconfig", { error });
      }
    }
  }

  async #look(): Promise<void> {
    const marks = await this.#readMarks();
    if (marks === this.#marks) return;
    const file = await readKubeconfig(this.#options.kubeconfig);
    // Written in between, or cut off for a moment, as kubectl does before it writes: the next look will tell.
    if (file?.currentContext === undefined || marks !== (await this.#readMarks())) return;
    this.#marks = marks;
    if (file.currentContext === this.#current || this.#stop.signal.aborted) return;
    this.#current = file.currentContext;
    const { served } = this.#options;
    const facts = { current: this.#current, served };
    if (this.#current === served)
      this.#components.log.info("The kubeconfig's current context is the served one again", facts);
    else this.#components.log.warn("The kubeconfig's current context is not the one that is served", facts);
  }

  async #readMarks(): Promise<string> {
    const paths = kubeconfigPaths(this.#options.kubeconfig);
    return JSON.stringify(await Promise.all(paths.map((path) => this.#components.markOf(path).catch(() => undefined))));
  }
}
