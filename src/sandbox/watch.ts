/**
 * One watch of the simulated API server (Kubernetes API concepts, "Efficient detection of changes"): what a client missed
 * since its version, then what happens, with bookmarks in between, until its time is up.
 */
import type { Clock } from "../clock.ts";
import { type ApiCall, isTrue } from "./api-call.ts";
import { type ApiObject, apiVersionOf, type ResourceDefinition } from "./api-object.ts";
import type { Change, ObjectStore } from "./object-store.ts";
import { type Selection, selectionOf } from "./selection.ts";
import { badRequest, expired, Refusal } from "./status.ts";

/** Where the events go. */
export interface WatchSink {
  /** Sends the head; the watch is accepted. */
  open(): void;
  /** Sends a line, with its line feed. */
  write(line: string): void;
  end(): void;
}

/** What a watch works with. */
export interface WatchComponents {
  readonly store: ObjectStore;
  readonly clock: Clock;
}

/** Settings of a watch. */
export interface WatchSettings {
  /** How often a bookmark comes, for those who take them. */
  readonly bookmarkMs: number;
}

const defaultTimeoutSeconds = 1_800;

/**
 * Serves a watch until its time is up or it is disposed. One from a version of the future is accepted and silent till
 * then, as with the real server; one from a forgotten version gets an ERROR event.
 * @throws Refusal when the query cannot be read
 */
export function serveWatch(
  call: ApiCall,
  sink: WatchSink,
  { store, clock }: WatchComponents,
  { bookmarkMs }: WatchSettings,
): Disposable {
  const { resource, http } = call;
  const selects = selectionOf(call);
  const { query } = http;
  const from = parseVersion(query.get("resourceVersion"));
  const takesBookmarks = isTrue(query.get("allowWatchBookmarks"));
  const wantsInitial = initialEvents(query);
  using stack = new DisposableStack();
  sink.open();
  const send = (type: string, object: unknown) => sink.write(eventLine(type, object));
  const bookmark = (annotations?: Readonly<Record<string, string>>) => {
    if (takesBookmarks) send("BOOKMARK", bookmarkObject(resource, Math.max(store.version, from), annotations));
  };
  if (from === 0 || wantsInitial) {
    for (const object of store.list(resource)) if (selects(object)) send("ADDED", object);
    if (wantsInitial) bookmark({ "k8s.io/initial-events-end": "true" });
  } else {
    const missed = store.changesAfter(from);
    if (missed === undefined) {
      send("ERROR", expired(from, store.oldest).body);
      sink.end();
      return stack.move();
    }
    for (const change of missed) tell(change);
  }
  function tell(change: Change): void {
    const event = eventOf(change, resource, selects);
    if (event !== undefined && change.version > from) send(event.type, event.object);
  }
  stack.use(store.subscribe(tell));
  const timers = stack.adopt(new Map<string, Disposable>(), (all) => {
    for (const timer of all.values()) timer[Symbol.dispose]();
  });
  const next = () => {
    timers.set(
      "bookmark",
      clock.after(bookmarkMs, () => {
        bookmark();
        next();
      }),
    );
  };
  if (takesBookmarks) next();
  const running = stack.move();
  const timeUp = () => {
    running[Symbol.dispose]();
    sink.end();
  };
  timers.set("end", clock.after(timeoutSeconds(query) * 1_000, timeUp));
  return running;
}

/** The line of an event. */
export function eventLine(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

/** A version of a query; 0 when there is none. @throws Refusal 400 */
export function parseVersion(text: string | null): number {
  if (text === null || text === "") return 0;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const why = `strconv.ParseUint: parsing "${text}": invalid syntax`;
  throw badRequest(`invalid resource version: resourceVersion: Invalid value: "${text}": ${why}`);
}

/** What a change is to a watch of some of the objects: one that begins to match is added, one that ends is deleted. */
function eventOf(
  { resource, type, object, previous, version }: Change,
  wanted: ResourceDefinition,
  selects: Selection,
): { readonly type: string; readonly object: ApiObject } | undefined {
  if (resource.group !== wanted.group || resource.plural !== wanted.plural) return undefined;
  const before = previous !== undefined && selects(previous);
  const now = type !== "DELETED" && selects(object);
  if (now) return { type: before ? "MODIFIED" : "ADDED", object };
  if (!before) return undefined;
  const last = { ...previous, metadata: { ...previous.metadata, resourceVersion: String(version) } };
  return { type: "DELETED", object: last };
}

function bookmarkObject(
  resource: ResourceDefinition,
  version: number,
  annotations: Readonly<Record<string, string>> | undefined,
): unknown {
  const metadata = { resourceVersion: String(version), ...(annotations === undefined ? {} : { annotations }) };
  return { kind: resource.kind, apiVersion: apiVersionOf(resource), metadata };
}

function initialEvents(query: URLSearchParams): boolean {
  if (!isTrue(query.get("sendInitialEvents"))) return false;
  if (query.get("resourceVersionMatch") === "NotOlderThan") return true;
  const why = "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
  throw new Refusal(422, "Invalid", `ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: ${why}`);
}

function timeoutSeconds(query: URLSearchParams): number {
  const seconds = Number(query.get("timeoutSeconds") ?? 0);
  return Number.isInteger(seconds) && seconds > 0 ? Math.min(seconds, 86_400) : defaultTimeoutSeconds;
}
