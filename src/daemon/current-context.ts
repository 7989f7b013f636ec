/**
 * Which context the kubeconfig calls current while the daemon serves another, and where the served one now leads: a user
 * who switches, or makes a cluster anew, must not believe that the names lead to the new cluster. Looks every 5 s at the
 * files' marks and reads only what changed; a file that cannot be read, or is just being written, changes nothing.
 * Used by daemon.
 */
import { stat } from "node:fs/promises";
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import { type Cluster, destinationOf } from "../kube/kubeconfig.ts";
import type { KubeconfigFile } from "../kube/kubeconfig-file.ts";
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
  /** What the daemon serves. */
  readonly served: Pick<Cluster, "contextName" | "server" | "userName">;
  /** The user has named the context: which one is current does not matter. */
  readonly isNamed: boolean;
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
  /** Where the served context leads, if not to where the daemon serves. */
  #elsewhere: string | undefined;
  /** Of the files as last read; undefined: read them. */
  #marks: string | undefined;

  constructor(components: CurrentContextComponents, options: CurrentContextOptions) {
    this.#components = components;
    this.#options = options;
    this.#current = options.served.contextName;
    this.#loop = this.#follow();
  }

  /** A sentence for the user while the current context is not the one served, or that one leads elsewhere. */
  get notice(): string | undefined {
    const { contextName } = this.#options.served;
    if (this.#current === contextName) return this.#elsewhere;
    return `The kubeconfig's current context is now "${this.#current}"; this daemon serves "${contextName}"`;
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
    const file = await this.#read();
    // Written in between: the next look will tell.
    if (marks !== (await this.#readMarks()) || this.#stop.signal.aborted) return;
    this.#marks = marks;
    if (file === undefined) return;
    this.#lookAtCurrent(file);
    this.#lookAtServed(file);
  }

  /** Undefined for what is half written, too: when the rest of it comes, the marks are others. */
  async #read(): Promise<KubeconfigFile | undefined> {
    try {
      return await readKubeconfig(this.#options.kubeconfig);
    } catch (error) {
      if (codeOf(error) !== "usage") throw error;
      this.#components.log.debug("Cannot follow the kubeconfig", { error });
      return undefined;
    }
  }

  /** Without a current context all stays as it was: kubectl cuts the file off for a moment before it writes. */
  #lookAtCurrent({ currentContext }: KubeconfigFile): void {
    const { served, isNamed } = this.#options;
    if (isNamed || currentContext === undefined || currentContext === this.#current) return;
    this.#current = currentContext;
    const facts = { current: currentContext, served: served.contextName };
    if (currentContext === served.contextName)
      this.#components.log.info("The kubeconfig's current context is the served one again", facts);
    else this.#components.log.warn("The kubeconfig's current context is not the one that is served", facts);
  }

  #lookAtServed(file: KubeconfigFile): void {
    const elsewhere = elsewhereOf(file, this.#options.served);
    if (elsewhere === undefined || elsewhere.notice === this.#elsewhere) return;
    this.#elsewhere = elsewhere.notice;
    const facts = { context: this.#options.served.contextName, server: elsewhere.server };
    if (elsewhere.notice === undefined)
      this.#components.log.info("The served context leads to where this daemon serves again", facts);
    else this.#components.log.warn("The served context no longer leads to where this daemon serves", facts);
  }

  async #readMarks(): Promise<string> {
    const paths = kubeconfigPaths(this.#options.kubeconfig);
    return JSON.stringify(await Promise.all(paths.map((path) => this.#components.markOf(path).catch(() => undefined))));
  }
}

/** Undefined when the context is not there, or of no use: then it leads nowhere, and the daemon goes on. */
function elsewhereOf(
  file: KubeconfigFile,
  served: CurrentContextOptions["served"],
): { readonly server: string; readonly notice: string | undefined } | undefined {
  try {
    const { server, userName } = destinationOf(file, served.contextName);
    const now = `The kubeconfig's context "${served.contextName}" now leads to`;
    if (server.href !== served.server.href) {
      const [there, here] = [server, served.server].map(({ href }) => href.replace(/\/$/, ""));
      return { server: server.href, notice: `${now} ${there}; this daemon serves ${here}` };
    }
    if (userName === served.userName) return { server: server.href, notice: undefined };
    const notice = `${now} the user "${userName}"; this daemon acts as "${served.userName}"`;
    return { server: server.href, notice };
  } catch {
    return undefined;
  }
}
