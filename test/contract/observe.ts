/** Watching the watcher: what a reflector asks for, and what it makes of the answers. */
import type { ApiClient } from "../../src/kube/api-client.ts";

/** The part of the client that a cache and its reflectors use. */
export type ReadingClient = Pick<ApiClient, "getJson" | "getList" | "watch">;

/** A place for notes, with a way to wait until they are what they should be. */
export class Notes {
  readonly lines: string[] = [];
  readonly #waiters = new Set<() => void>();

  add(line: string): void {
    this.lines.push(line);
    this.wake();
  }

  /** Looks again at what is waited for. */
  readonly wake = (): void => {
    for (const wake of [...this.#waiters]) wake();
  };

  /** Resolves as soon as the condition holds; looked at after each note. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      const noted = Promise.withResolvers<void>();
      this.#waiters.add(noted.resolve);
      await noted.promise;
      this.#waiters.delete(noted.resolve);
    }
  }
}

/** How calls are changed on their way: each gets the path and how many of its sort came before. */
export interface Detours {
  readonly list?: (path: string, nth: number) => string | Promise<string>;
  readonly watch?: (path: string, nth: number) => string | Promise<string>;
}

/** Notes `list` and `watch` for every call, before it is made. */
export function noting(client: ReadingClient, notes: Notes, detours: Detours = {}): ReadingClient {
  let lists = 0;
  let watches = 0;
  return {
    getJson: (path, options) => client.getJson(path, options),
    async getList(path, read, options) {
      notes.add("list");
      const way = (await detours.list?.(path, lists++)) ?? path;
      return await client.getList(way, read, options);
    },
    async *watch(path, options) {
      notes.add("watch");
      const way = (await detours.watch?.(path, watches++)) ?? path;
      yield* client.watch(way, options);
    },
  };
}

/** A path that asks for another version, or for a shorter watch. */
export function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  const url = new URL(path, "http://x");
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.pathname + url.search;
}
