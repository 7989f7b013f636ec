/**
 * Which kinds the API server serves, and which of them can be scaled (Kubernetes "API discovery": APIResourceList and
 * APIGroupList). Promises to read no group twice as long as it holds what is asked for. Used by expose.
 */

import { codeOf, LocalizerError } from "../errors.ts";
import type { ApiClient } from "./api-client.ts";
import { fewAtOnce } from "./few-at-once.ts";
import { flagAt, listAt, textAt } from "./json.ts";
import type { ApiResource } from "./list-watch.ts";

/** A kind as objects name it: `apiVersion` in two parts, and `kind`. */
export interface KindRef {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A kind that the server serves. */
export interface ServedKind extends ApiResource, KindRef {
  readonly namespaced: boolean;
  /** It has the subresource /scale. */
  readonly scalable: boolean;
}

/** All kinds that can be scaled, as far as they could be found. */
export interface ScalableKinds {
  /** Each kind once, in the version that its group prefers among those with /scale. */
  readonly kinds: readonly ServedKind[];
  /** Parts of the API that did not answer: what they serve is unknown. */
  readonly failures: readonly LocalizerError[];
  /** The groups of these parts; empty for the core group. */
  readonly unknownGroups: ReadonlySet<string>;
}

/** Groups of a cluster with many operators are a hundred and more. */
const readsAtOnce = 8;

/** Asks one API server, and remembers what it said. */
export class Discovery {
  readonly #client: Pick<ApiClient, "request">;
  /** By path of the group's version. */
  readonly #served = new Map<string, readonly ServedKind[]>();

  constructor(client: Pick<ApiClient, "request">) {
    this.#client = client;
  }

  /**
   * The kind in that version or, where the server has dropped that version, in another one of its group; undefined when it
   * serves no such kind. What is not remembered is read once more. Throws as ApiClient.request.
   */
  async find({ group, version, kind }: KindRef, signal?: AbortSignal): Promise<ServedKind | undefined> {
    const ofKind = (served: readonly ServedKind[] | undefined) => served?.find((one) => one.kind === kind);
    const known = ofKind(this.#served.get(versionPath(group, version)));
    if (known !== undefined) return known;
    const served = await this.#read(group, version, signal);
    if (served !== undefined || group === "") return ofKind(served);
    for (const other of await this.#versionsOf(group, signal)) {
      const found = other === version ? undefined : ofKind(await this.#read(group, other, signal));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * All kinds that can be scaled, read anew.
   * @throws LocalizerError as ApiClient.request when not even the list of groups can be had, `aborted`
   */
  async scalableKinds(signal?: AbortSignal): Promise<ScalableKinds> {
    const failures: LocalizerError[] = [];
    const unknownGroups = new Set<string>();
    const groups = listAt(await this.#get("/apis", signal), "groups").map(parseGroup);
    const versions = [{ group: "", version: "v1" }, ...groups.flat()];
    const served = await fewAtOnce(versions, readsAtOnce, async ({ group, version }) => {
      try {
        return (await this.#read(group, version, signal)) ?? [];
      } catch (error) {
        if (codeOf(error) === "aborted") throw error;
        failures.push(LocalizerError.from(error));
        unknownGroups.add(group);
        return [];
      }
    });
    const kinds = new Map<string, ServedKind>();
    for (const kind of served.flat()) {
      const name = `${kind.plural}.${kind.group}`;
      if (kind.scalable && !kinds.has(name)) kinds.set(name, kind);
    }
    return { kinds: [...kinds.values()], failures, unknownGroups };
  }

  /** Undefined when there is no such version. */
  async #read(group: string, version: string, signal: AbortSignal | undefined) {
    const path = versionPath(group, version);
    const answer = await this.#getOrNothing(path, signal);
    if (answer === undefined) return undefined;
    const served = parseResources(group, version, listAt(answer, "resources"));
    this.#served.set(path, served);
    return served;
  }

  async #versionsOf(group: string, signal: AbortSignal | undefined): Promise<readonly string[]> {
    const answer = await this.#getOrNothing(`/apis/${encodeURIComponent(group)}`, signal);
    return answer === undefined ? [] : parseGroup(answer).map(({ version }) => version);
  }

  async #getOrNothing(path: string, signal: AbortSignal | undefined): Promise<unknown> {
    try {
      return await this.#get(path, signal);
    } catch (error) {
      if (codeOf(error) === "not-found") return undefined;
      throw error;
    }
  }

  #get(path: string, signal: AbortSignal | undefined): Promise<unknown> {
    return this.#client.request({ method: "GET", path, signal });
  }
}

/** Group and version of an `apiVersion`: "apps/v1", or "v1" for the core group. Pure. */
export function splitApiVersion(apiVersion: string): Pick<KindRef, "group" | "version"> {
  const slash = apiVersion.indexOf("/");
  return { group: apiVersion.slice(0, Math.max(slash, 0)), version: apiVersion.slice(slash + 1) };
}

function versionPath(group: string, version: string): string {
  const [groupPart, versionPart] = [encodeURIComponent(group), encodeURIComponent(version)];
  return group === "" ? `/api/${versionPart}` : `/apis/${groupPart}/${versionPart}`;
}

/** The versions of a group, the preferred one first. */
function parseGroup(value: unknown): readonly Pick<KindRef, "group" | "version">[] {
  const group = textAt(value, "name");
  if (group === undefined) return [];
  const versions = listAt(value, "versions").map((version) => textAt(version, "version"));
  const inOrder = new Set([textAt(value, "preferredVersion", "version"), ...versions]);
  return [...inOrder].flatMap((version) => (version === undefined ? [] : [{ group, version }]));
}

function parseResources(group: string, version: string, resources: readonly unknown[]): readonly ServedKind[] {
  const names = new Set(resources.map((resource) => textAt(resource, "name")));
  return resources.flatMap((resource) => {
    const [plural, kind] = [textAt(resource, "name"), textAt(resource, "kind")];
    if (plural === undefined || kind === undefined || plural.includes("/")) return [];
    const namespaced = flagAt(resource, "namespaced") ?? false;
    return [{ group, version, plural, kind, namespaced, scalable: names.has(`${plural}/scale`) }];
  });
}
