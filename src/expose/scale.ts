/**
 * Sets an owner of pods to 0 replicas and back, so that whoever comes later knows what it was: number and sessions go into
 * its annotations in the same patch, guarded by its version and uid (verified.md 3.5). Each way may be gone twice.
 */
import { type BackoffOptions, backoffMs } from "../backoff.ts";
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import { at, listAt, textAt } from "../kube/json.ts";
import type { Objects } from "../kube/objects.ts";
import { livingSessions } from "./living-sessions.ts";
import { type ScaledOwner, type SeenOwner, seeOwner, type WriteOptions, writeOwner } from "./marked-owner.ts";
import type { OwnerRef } from "./plan.ts";
import { annotations, type RecordedOwner } from "./records.ts";
import { settleOwner } from "./settle-owner.ts";

/** What scaling works with. */
export interface ScaleComponents {
  readonly objects: Objects;
  readonly clock: Clock;
  /** In [0, 1); Math.random unless given. */
  readonly random?: () => number;
}

/** On whose behalf. */
export interface ScaleHolder {
  readonly session: string;
  /** `user@host`. */
  readonly holder: string;
  /** Sessions of this process, which may share an owner. */
  readonly mates?: readonly string[];
}

/** What came of going back. */
export type ScaledBack =
  /** It is set to this number again. */
  | { readonly kind: "restored"; readonly replicas: number }
  /** Somebody has set it to another number meanwhile, which stays. */
  | { readonly kind: "left"; readonly replicas: number }
  /** It is set to what it was before already. */
  | { readonly kind: "kept"; readonly replicas: number }
  /** Another session still wants it at 0, and sets it back to `before` when it ends; one of the same process has no holder here. */
  | { readonly kind: "shared"; readonly holder: string; readonly before: number }
  /** It does not exist any more, or is another one of that name. */
  | { readonly kind: "gone" }
  /** It says nothing of this session. */
  | { readonly kind: "untouched"; readonly replicas: number };

const noMark = { sessions: [], replicas: undefined, holder: "" } as const;
/** Status updates bump the version all the time: one patch in seven meets one. */
const conflictTries = 8;
const conflictBackoff: BackoffOptions = { baseMs: 50, factor: 2, capMs: 1_000 };

/** How an owner is set to 0. */
export interface ScaleDownOptions extends WriteOptions {
  /** Asked between each look and its write, whether the session is still its own; what it throws is thrown. */
  readonly confirm?: () => Promise<void>;
}

/**
 * Records what the owner is set to and sets it to 0. Gives what it was set to before any session. The mark of a session that has
 * ended stands in nobody's way: then the present number counts, and at 0 the recorded one, else that of the mark.
 * @throws LocalizerError `conflict` when it belongs to somebody else's session, or to one beside that has lost its number, was replaced
 * by another of that name, or changes all the time; else as the API says no
 */
export async function scaleDown(
  components: ScaleComponents,
  owner: RecordedOwner,
  by: ScaleHolder,
  options: ScaleDownOptions = {},
): Promise<number> {
  const { objects } = components;
  const action = `Cannot scale ${describeOwner(owner)} to 0`;
  const ours = [by.session, ...(by.mates ?? [])];
  return await untilUnchanged(components, action, options.signal, async () => {
    const now = await seeOwner(objects, owner, options.signal);
    if (now === undefined) {
      throw new LocalizerError("conflict", `${action}: it was deleted, or made anew, in the meantime`);
    }
    const named = now.mark?.sessions ?? [];
    const strangers = { namespace: owner.namespace, sessions: named.filter((name) => !ours.includes(name)) };
    if ((await livingSessions(objects, strangers, options.signal)).length > 0) {
      throw new LocalizerError(
        "conflict",
        `${action}: it is held by a session of ${now.mark?.holder || "somebody else"}; if that is forgotten, \`localizer restore --namespace ${owner.namespace}\` ends it`,
      );
    }
    const held = named.filter((name) => ours.includes(name));
    const replicas = numberBefore(now, owner.replicas, held.length > 0);
    // A 0 that we have seen ourselves was made by them: written down it would be what the last of all goes back to.
    if (replicas === 0 && now.mark?.replicas === undefined && held.some((name) => name !== by.session)) {
      const missing = `its annotation "${annotations.replicas}", which says what it was set to, is gone`;
      throw new LocalizerError("conflict", `${action}: another exposure holds it, and ${missing}; stop that one first`);
    }
    const mark = { sessions: [...new Set([...held, by.session])], replicas, holder: by.holder };
    // Who takes the session over writes the owner only then: after this either he sees our write, or ours meets his.
    await options.confirm?.();
    await writeOwner(objects, owner, now, { mark, replicas: 0 }, options);
    return replicas;
  });
}

/** What the session's records say of the number, for an owner whose annotations do not. */
export interface RecordedNumber {
  /** It certainly was scaled down from so many. */
  readonly fallback?: number;
  /** It was to be scaled down from so many: of use only where its mark says that it was. */
  readonly planned?: number;
}

/**
 * Takes the session off the owner; the last living one off sets it to what it was. One that somebody has set to another number
 * keeps that. What the session has sent and is still on its way fails from then on.
 * @throws LocalizerError `conflict` when it is at 0 and nothing says what it was, or it is held by a session that would not set it
 * back either; else as the API says no
 */
export async function scaleBack(
  components: ScaleComponents,
  owner: ScaledOwner,
  session: string,
  options: RecordedNumber & { readonly signal?: AbortSignal } = {},
): Promise<ScaledBack> {
  const { objects } = components;
  const { signal, fallback, planned } = options;
  const write = signal === undefined ? {} : { signal };
  const action = `Cannot scale ${describeOwner(owner)} back`;
  let written: number | undefined;
  return await untilUnchanged(components, action, signal, async (): Promise<ScaledBack> => {
    const now = await seeOwner(objects, owner, signal);
    if (now === undefined) return { kind: "gone" };
    const { mark, replicas } = now;
    const isOurs = mark?.sessions.includes(session) === true;
    if (!isOurs && (replicas > 0 || (fallback ?? 0) === 0)) {
      // What is recorded may be on its way: nobody would know of it once the records are gone.
      if (fallback !== undefined || planned !== undefined) await settleOwner(objects, owner, now, write);
      return { kind: "untouched", replicas };
    }
    const before = isOurs ? (mark.replicas ?? fallback ?? planned) : fallback;
    const named = { namespace: owner.namespace, sessions: mark?.sessions.filter((name) => name !== session) ?? [] };
    const others = await livingSessions(objects, named, signal);
    if (mark !== undefined && others.length > 0) {
      const kept = isOurs ? before : mark.replicas;
      if (kept === undefined || (kept === 0 && !isOurs)) {
        const whose = `a session of ${mark.holder || "somebody else"}, which does not know its number`;
        throw new LocalizerError(
          "conflict",
          `${action}${before === undefined ? "" : ` to ${before}`}: it is held by ${whose}`,
        );
      }
      if (isOurs) await writeOwner(objects, owner, now, { mark: { ...mark, sessions: others, replicas: kept } }, write);
      // Sessions that share an owner are of one process.
      return { kind: "shared", holder: isOurs ? "" : mark.holder, before: kept };
    }
    if (replicas > 0) {
      await writeOwner(objects, owner, now, { mark: noMark }, write);
      if (replicas === written) return { kind: "restored", replicas };
      return { kind: replicas === before ? "kept" : "left", replicas };
    }
    if (before === undefined) {
      const missing = `its annotation "${annotations.replicas}" does not say what it was set to, and no other record does; set it yourself`;
      throw new LocalizerError("conflict", `${action}: ${missing}`);
    }
    written = before;
    await writeOwner(objects, owner, now, { mark: noMark, replicas: before }, write);
    return { kind: "restored", replicas: before };
  });
}

/** An owner, seen while a session holds it. */
export interface HeldOwner {
  readonly replicas: number;
  /** Whether its annotations still name the session. */
  readonly isMarked: boolean;
  /** Who has written the number last, as the API server keeps it; empty when nobody is named. */
  readonly writer: string;
}

/** How the owner is now; undefined when it is gone, or another one of that name. Throws as the API. */
export async function heldOwner(
  { objects }: Pick<ScaleComponents, "objects">,
  owner: RecordedOwner,
  session: string,
  signal: AbortSignal,
): Promise<HeldOwner | undefined> {
  const now = await seeOwner(objects, owner, signal);
  if (now === undefined) return undefined;
  return {
    replicas: now.replicas,
    isMarked: now.mark?.sessions.includes(session) === true,
    writer: lastScaler(now.object),
  };
}

/** The manager that owns `spec.replicas` (managedFields, server-side apply); the newest of several. */
function lastScaler(object: unknown): string {
  const owning = listAt(object, "metadata", "managedFields").filter(
    (entry) => at(entry, "fieldsV1", "f:spec", "f:replicas") !== undefined,
  );
  const newest = owning.sort((a, b) => (textAt(b, "time") ?? "").localeCompare(textAt(a, "time") ?? ""))[0];
  return textAt(newest, "manager") ?? "";
}

/** `Deployment "shop/cart"`. */
export function describeOwner({ kind, namespace, name }: Pick<OwnerRef, "kind" | "namespace" | "name">): string {
  return `${kind} "${namespace}/${name}"`;
}

/** What it was set to before. A session's own mark counts more than anything, an ended one's less than what is recorded or to be seen. */
function numberBefore({ mark, replicas }: SeenOwner, recorded: number, isHeld: boolean): number {
  if (isHeld && mark?.replicas !== undefined) return mark.replicas;
  if (replicas > 0 || mark === undefined) return replicas;
  return recorded > 0 ? recorded : (mark.replicas ?? 0);
}

/** Runs it again when somebody else wrote in between. */
async function untilUnchanged<T>(
  { clock, random = Math.random }: ScaleComponents,
  action: string,
  signal: AbortSignal | undefined,
  run: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      // Of the API, not one of our own: those say what is the matter.
      const isRace = codeOf(error) === "conflict" && error instanceof LocalizerError && error.cause !== undefined;
      if (!isRace) throw LocalizerError.from(error);
      if (attempt + 1 >= conflictTries) throw LocalizerError.wrap(error, action);
      await clock.sleep(backoffMs(attempt, conflictBackoff, random), signal);
    }
  }
}
