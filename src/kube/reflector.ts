/**
 * Keeps a store equal to a part of the cluster: list once, watch from there, and never give up. After client-go's
 * tools/cache/reflector.go. Promises that the store keeps its last state while the API server is away, and that it is
 * right again once the server is back. Used by ClusterCache and by whoever follows some other kind of object.
 *
 * It lists and then watches, though WatchList (sendInitialEvents) could do both in one: a list is gzipped, and every API
 * server can do it. `npm run bench -- --only list --services 300`, Services and slices: 49 KiB and 0.02 s by gzipped list,
 * 737 KiB and 0.04 s by WatchList.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ApiClient } from "./api-client.ts";
import { apiStatusOf } from "./api-status.ts";
import { textAt } from "./json.ts";
import { describeScope, type ListScope, listPath, parseList, watchPath } from "./list-watch.ts";
import { Retry, reflectorRetry } from "./retry.ts";
import type { Store, StoredObject } from "./store.ts";
import type { WatchEvent } from "./watch-events.ts";

/**
 * How a reflector fares. `syncing`: before the first list; `watching`: all is well; `retrying`: the last try failed,
 * another follows; `denied`: as that, but the server said that we lack the right (`lastError` is `denied`), or does not
 * know us (`unauthenticated`).
 */
export interface ReflectorStatus {
  readonly state: "syncing" | "watching" | "retrying" | "denied";
  /** Why, while it is not `watching`. */
  readonly lastError?: LocalizerError;
}

/** What a reflector works with. */
export interface ReflectorComponents<T extends StoredObject> {
  readonly client: Pick<ApiClient, "getJson" | "watch">;
  readonly store: Pick<Store<T>, "replace" | "put" | "delete">;
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1); Math.random unless given. */
  readonly random?: () => number;
}

/** What a reflector follows. */
export interface ReflectorOptions<T extends StoredObject> {
  readonly scope: ListScope;
  /** JSON of the API to a slim object; throws when it cannot, and the object is then left out. */
  readonly parse: (value: unknown) => T;
}

const listTimeoutMs = 60_000;
/** The server answers a watch at once, whether there is something to say or not. */
const openTimeoutMs = 30_000;
/** How much longer than the server we wait for the end of a watch. */
const graceMs = 15_000;
/** Bookmarks come each minute: a watch without any for so long, though healthy, waits for a version that never comes. */
const silenceMs = 120_000;
/** So many failed watches in a row, and we list again: whatever is wrong with the version is mended by that. */
const watchesBeforeList = 3;

/** Follows one list. Runs from `run` until its signal fires or it is disposed; no failure ends it. */
export class Reflector<T extends StoredObject> implements AsyncDisposable {
  readonly #components: ReflectorComponents<T>;
  readonly #options: ReflectorOptions<T>;
  readonly #log: Logger;
  readonly #random: () => number;
  readonly #retry: Retry;
  readonly #stopping = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  readonly #listeners = new Set<(status: ReflectorStatus) => void>();
  #status: ReflectorStatus = { state: "syncing" };
  #running: Promise<void> | undefined;
  #needsList = true;
  /** What the next list asks for; see listPath. */
  #listVersion = "0";
  #resourceVersion = "";

  constructor(components: ReflectorComponents<T>, options: ReflectorOptions<T>) {
    this.#components = components;
    this.#options = options;
    this.#log = components.log;
    this.#random = components.random ?? Math.random;
    this.#retry = new Retry(components.clock, reflectorRetry, this.#random);
    // Not everybody asks, and a rejection that nobody awaits would end the process.
    this.#synced.promise.catch(() => {});
  }

  /** Resolves when the first list is in the store; rejects with `aborted` when it ends before that. */
  get hasSynced(): Promise<void> {
    return this.#synced.promise;
  }

  /** How it fares now. */
  get status(): ReflectorStatus {
    return this.#status;
  }

  /** Tells the listener about every change of the status. Disposing ends it. */
  onStatus(listener: (status: ReflectorStatus) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Follows until the signal fires or the reflector is disposed, and then resolves. Must be called once. */
  run(signal?: AbortSignal): Promise<void> {
    const own = this.#stopping.signal;
    this.#running ??= this.#loop(signal === undefined ? own : AbortSignal.any([signal, own]));
    return this.#running;
  }

  /** Stops it and waits until it has. The store stays as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await (this.#running ?? this.run());
  }

  async #loop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#needsList) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (!signal.aborted) await this.#waitAfter(error, signal);
      }
    }
    this.#synced.reject(new LocalizerError("aborted", "Stopped", { cause: signal.reason }));
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, store } = this.#components;
    const { scope } = this.#options;
    const answer = await client.getJson(listPath(scope, this.#listVersion), { signal, timeoutMs: listTimeoutMs });
    const list = parseList(answer, scope);
    store.replace(
      list.items.flatMap((item) => this.#parse(item)),
      scope.namespace,
    );
    this.#log.debug("Listed", { what: describeScope(scope), items: list.items.length, version: list.resourceVersion });
    this.#seen(list.resourceVersion);
    this.#needsList = false;
    this.#synced.resolve();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#components;
    const { scope } = this.#options;
    const timeoutSeconds = Math.round(300 + 300 * this.#random());
    const giveUp = new AbortController();
    const tooLong = () =>
      giveUp.abort(new LocalizerError("timeout", `Cannot watch ${describeScope(scope)}: no answer`));
    using _end = clock.after(timeoutSeconds * 1000 + graceMs, tooLong);
    using opening = clock.after(openTimeoutMs, tooLong);
    const started = clock.monotonic();
    let events = 0;
    const onOpen = () => {
      opening[Symbol.dispose]();
      this.#retry.working();
      this.#setStatus({ state: "watching" });
    };
    try {
      const path = watchPath(scope, this.#resourceVersion, timeoutSeconds);
      for await (const event of client.watch(path, { signal: AbortSignal.any([signal, giveUp.signal]), onOpen })) {
        events++;
        this.#take(event);
      }
    } catch (error) {
      if (!giveUp.signal.aborted || signal.aborted) throw error;
      this.#listAgain("");
      throw giveUp.signal.reason;
    }
    const lastedMs = clock.monotonic() - started;
    if (events === 0 && lastedMs > silenceMs) this.#listAgain("");
    if (events === 0 && lastedMs < 1_000) {
      const sentence = `Cannot watch ${describeScope(scope)}: the watch ended at once and without an event`;
      throw new LocalizerError("unavailable", sentence);
    }
  }

  #take(event: WatchEvent): void {
    const { store } = this.#components;
    const { object } = event;
    switch (event.type) {
      case "ADDED":
      case "MODIFIED":
        for (const parsed of this.#parse(object)) store.put(parsed);
        break;
      case "DELETED":
        // By its metadata alone, so that an object that cannot be read can still go.
        store.delete(identityOf(object));
        break;
      case "BOOKMARK":
        break;
      default:
        event.type satisfies never;
    }
    const version = textAt(object, "metadata", "resourceVersion");
    if (version !== undefined) this.#seen(version);
  }

  #parse(value: unknown): T[] {
    try {
      return [this.#options.parse(value)];
    } catch (error) {
      const { namespace, name } = identityOf(value);
      this.#log.warn("Left out an object that cannot be read", { object: `${namespace}/${name}`, error });
      return [];
    }
  }

  /** A later list may come from a server that lags behind: it must not take us back in time. */
  #seen(version: string): void {
    this.#resourceVersion = version;
    this.#listVersion = version;
  }

  #listAgain(version: string): void {
    this.#needsList = true;
    this.#listVersion = version;
  }

  async #waitAfter(thrown: unknown, signal: AbortSignal): Promise<void> {
    const error = LocalizerError.from(thrown);
    const backoff = this.#retry.failed(error);
    const { failures } = this.#retry;
    // The version is forgotten (410) or, after a restored backup, not known yet (504): ask for the latest there is.
    const lostVersion = error.code === "expired" || apiStatusOf(error)?.reason === "Timeout";
    if (lostVersion) this.#listAgain("");
    else if (!this.#needsList && failures >= watchesBeforeList) this.#needsList = true;
    this.#reportFailure(error, failures);
    const waitMs = error.code === "expired" && failures === 1 ? 0 : backoff;
    // Ends early with `aborted` only, which the loop sees by itself.
    await this.#components.clock.sleep(waitMs, signal).catch(() => {});
  }

  #reportFailure(error: LocalizerError, failures: number): void {
    const fields = { what: describeScope(this.#options.scope), error, failures };
    const expected = error.code === "expired" || apiStatusOf(error)?.httpStatus === 429;
    const denied = error.code === "denied" || error.code === "unauthenticated";
    // What a denial means is for the owner to say, who is told by the status.
    if (expected || denied || this.#status.state === "retrying" || this.#status.state === "denied") {
      this.#log.debug("Watch failed, trying again", fields);
    } else {
      this.#log.warn("Watch failed, trying again", fields);
    }
    // A busy server and a forgotten version are everyday matters, no state worth showing.
    if (expected) return;
    this.#setStatus({ state: denied ? "denied" : "retrying", lastError: error });
  }

  #setStatus(status: ReflectorStatus): void {
    const before = this.#status;
    this.#status = status;
    if (before.state === status.state && before.lastError === status.lastError) return;
    if (status.state === "watching" && before.state !== "syncing") {
      this.#log.info("Watching again", { what: describeScope(this.#options.scope) });
    }
    for (const listener of [...this.#listeners]) listener(status);
  }
}

function identityOf(value: unknown): StoredObject {
  return {
    namespace: textAt(value, "metadata", "namespace") ?? "",
    name: textAt(value, "metadata", "name") ?? "",
    uid: textAt(value, "metadata", "uid") ?? "",
  };
}
