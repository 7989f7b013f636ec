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
import { codeOf, LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ApiClient } from "./api-client.ts";
import { apiStatusOf } from "./api-status.ts";
import { isLost } from "./api-stream.ts";
import { textAt } from "./json.ts";
import { describeScope, type ListScope, listPath, listVersion, watchPath } from "./list-watch.ts";
import { type ReflectorStatus, StatusBoard } from "./reflector-status.ts";
import { Retry, reflectorRetry } from "./retry.ts";
import { ServerNews } from "./server-news.ts";
import type { StoredObject } from "./store.ts";
import { StoreFeed, type StoreFeedComponents } from "./store-feed.ts";
import type { WatchEvent } from "./watch-events.ts";

/** What a reflector works with. */
export interface ReflectorComponents<T extends StoredObject> {
  readonly client: Pick<ApiClient, "getList" | "watch">;
  readonly store: StoreFeedComponents<T>["store"];
  readonly clock: Clock;
  readonly log: Logger;
  /** In [0, 1); Math.random unless given. */
  readonly random?: () => number;
  /** Shared with others that use the client: who is answered tells the rest. */
  readonly news?: ServerNews;
}

/** What a reflector follows. */
export interface ReflectorOptions<T extends StoredObject> {
  readonly scope: ListScope;
  /** JSON of the API to a slim object; throws when it cannot, and the object is then left out. */
  readonly parse: (value: unknown) => T;
}

const listTimeoutMs = 60_000;
/** How much longer than the server we wait for the end of a watch. */
const graceMs = 15_000;
/** Bookmarks come each minute: a watch without any for so long, though healthy, waits for a version that never comes. */
const silenceMs = 120_000;
/** So many failed watches in a row, and we list again: whatever is wrong with the version is mended by that. */
const watchesBeforeList = 3;
/** A watch that lived so long, or brought something, did work. */
const workedMs = 1_000;

/** How a watch went. */
interface Watched {
  /** From when it was accepted. */
  readonly lastedMs: number;
  readonly events: number;
}

/** Follows one list. Runs from `run` until its signal fires or it is disposed; no failure ends it. */
export class Reflector<T extends StoredObject> implements AsyncDisposable {
  readonly #components: ReflectorComponents<T>;
  readonly #options: ReflectorOptions<T>;
  readonly #log: Logger;
  readonly #random: () => number;
  readonly #retry: Retry;
  readonly #feed: StoreFeed<T>;
  readonly #news: ServerNews;
  readonly #stopping = new AbortController();
  readonly #synced = Promise.withResolvers<void>();
  readonly #board: StatusBoard;
  #running: Promise<void> | undefined;
  #needsList = true;
  /** The try under way got as far as a watch that was accepted. */
  #isReached = false;
  /** What the next list asks for; see listPath. */
  #listVersion = "0";
  #resourceVersion = "";

  constructor(components: ReflectorComponents<T>, options: ReflectorOptions<T>) {
    this.#components = components;
    this.#options = options;
    this.#log = components.log;
    this.#random = components.random ?? Math.random;
    this.#retry = new Retry(components.clock, reflectorRetry, this.#random);
    this.#board = new StatusBoard(describeScope(options.scope), components.log);
    this.#feed = new StoreFeed({ ...components, parse: options.parse });
    this.#news = components.news ?? new ServerNews(components.clock, this.#random);
    // Not everybody asks, and a rejection that nobody awaits would end the process.
    this.#synced.promise.catch(() => {});
  }

  /** Resolves when the first list is in the store; rejects with `aborted` when it ends before that. */
  get hasSynced(): Promise<void> {
    return this.#synced.promise;
  }

  /** How it fares now. */
  get status(): ReflectorStatus {
    return this.#board.status;
  }

  /** Tells the listener about every change of the status. Disposing ends it. */
  onStatus(listener: (status: ReflectorStatus) => void): Disposable {
    return this.#board.onStatus(listener);
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
      this.#isReached = false;
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
    const { client } = this.#components;
    const { scope } = this.#options;
    const within = { signal, timeoutMs: listTimeoutMs };
    const path = listPath(scope, this.#listVersion);
    const { list, items } = await client.getList(path, (item) => this.#feed.read(item), within);
    const version = listVersion(list, scope);
    this.#feed.replace(items, scope.namespace);
    this.#log.debug("Listed", { what: describeScope(scope), items: items.length, version });
    this.#seen(version);
    this.#needsList = false;
    this.#synced.resolve();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#components;
    const { scope } = this.#options;
    const timeoutSeconds = Math.round(300 + 300 * this.#random());
    const giveUp = new AbortController();
    const late = new LocalizerError("timeout", `Cannot watch ${describeScope(scope)}: the server does not end it`);
    let end: Disposable | undefined;
    let openedAt: number | undefined;
    let events = 0;
    const onOpen = () => {
      end = clock.after(timeoutSeconds * 1000 + graceMs, () => giveUp.abort(late));
      openedAt = clock.monotonic();
      this.#opened();
    };
    const watched = () => ({ lastedMs: clock.monotonic() - (openedAt ?? clock.monotonic()), events });
    try {
      const path = watchPath(scope, this.#resourceVersion, timeoutSeconds);
      for await (const event of client.watch(path, { signal: AbortSignal.any([signal, giveUp.signal]), onOpen })) {
        events++;
        this.#take(event);
      }
    } catch (error) {
      if (signal.aborted) throw error;
      await this.#broke(giveUp.signal.aborted ? late : error, watched(), signal);
      return;
    } finally {
      end?.[Symbol.dispose]();
    }
    this.#ended(watched());
  }

  #opened(): void {
    this.#isReached = true;
    this.#retry.working();
    this.#board.watching();
    this.#news.answers();
  }

  #take(event: WatchEvent): void {
    this.#feed.take(event);
    const version = textAt(event.object, "metadata", "resourceVersion");
    if (version !== undefined) this.#seen(version);
  }

  /** In good order. */
  #ended({ lastedMs, events }: Watched): void {
    if (events > 0) return;
    if (lastedMs > silenceMs) this.#listAgain("");
    if (lastedMs >= workedMs) return;
    const sentence = `Cannot watch ${describeScope(this.#options.scope)}: the watch ended at once and without an event`;
    throw new LocalizerError("unavailable", sentence);
  }

  /** @throws LocalizerError the same, unless a watch that worked was cut, as many gateways do each minute */
  async #broke(error: unknown, { lastedMs, events }: Watched, signal: AbortSignal): Promise<void> {
    if (codeOf(error) === "timeout") this.#listAgain("");
    if (!isLost(error) || (events === 0 && lastedMs < workedMs)) throw error;
    this.#log.debug("Watch was cut, watching on", { what: describeScope(this.#options.scope), error, lastedMs });
    await this.#components.clock.sleep(this.#retry.interrupted(), signal);
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
    const waitMs = error.code === "expired" && failures === 1 ? 0 : backoff;
    this.#board.failed(error, { failures, waitMs });
    // Ends early with `aborted` only, which the loop sees by itself.
    await this.#sleep(waitMs, error, signal).catch(() => {});
  }

  /** Who could not reach the server wants to know when another does; who was answered does not. */
  #sleep(waitMs: number, error: LocalizerError, signal: AbortSignal): Promise<void> {
    const isUnreached = !this.#isReached && (error.code === "unavailable" || error.code === "timeout");
    const isAsked = apiStatusOf(error)?.retryAfterMs !== undefined;
    return isUnreached && !isAsked ? this.#news.sleep(waitMs, signal) : this.#components.clock.sleep(waitMs, signal);
  }
}
