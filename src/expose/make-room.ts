/**
 * Makes room for an exposure where an earlier one stands in the way. Promises that only what a dead daemon of this machine has
 * left, or with `takeOver` a session that gives no sign of life, is put back; a living one is refused with its holder's name.
 */
import { codeOf, LocalizerError } from "../errors.ts";
import { namespaceOf, type ServiceKey } from "../model/service-key.ts";
import { newClaim } from "./claim.ts";
import { deadline, deadlineError } from "./deadline.ts";
import { describeHolder, endDead } from "./forgotten.ts";
import { type FoundLease, heldLeases } from "./found-leases.ts";
import { isAlive } from "./is-alive.ts";
import type { Journal } from "./journal.ts";
import { seeOwner } from "./marked-owner.ts";
import type { ExposePlan } from "./plan.ts";
import { endRecorded } from "./recorded-sessions.ts";
import type { Report } from "./report.ts";
import { describeOwner } from "./scale.ts";
import { heldSentence, leaseRef, type SeenLease, seeLease } from "./session-lease.ts";
import type { SearchComponents } from "./suspects.ts";

/** What it is done with. */
export interface RoomComponents extends SearchComponents {
  readonly journal: Journal;
}

/** For whom, and how. */
export interface RoomOptions {
  /** The API server's URL. */
  readonly server: string;
  /** `user@host`. */
  readonly holder: string;
  /** End somebody else's session, if that gives no sign of life. */
  readonly takeOver: boolean;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/** How long putting back may take. */
const limitMs = 60_000;

/**
 * Sees that nobody holds the Service.
 * @throws LocalizerError `conflict` when somebody does, who and since when; what could not be put back; as the API
 */
export async function makeRoom(
  components: RoomComponents,
  key: ServiceKey,
  options: RoomOptions & { readonly dryRun: boolean },
): Promise<void> {
  const { objects, clock, journal } = components;
  const { server, holder, takeOver, dryRun, signal, report } = options;
  // Before the Lease, which goes first: what recovery ends meanwhile is not in the way.
  const dead = dryRun ? [] : await journal.dead(server, () => {});
  const lease = await seeLease(objects, leaseRef(key), signal);
  if (lease === undefined) return;
  const held = new LocalizerError("conflict", heldSentence(key, lease, new Date(clock.now())));
  if (dryRun) throw held;
  const own = dead.find(({ record, isElsewhere }) => record.session === lease.session && !isElsewhere);
  if (own !== undefined) {
    const message = "Putting back what an earlier daemon of this machine has left";
    report({ level: "info", step: "preflight", message });
    await endRecorded(components, own.record, { holder, signal, report, limitMs });
    return;
  }
  if (!takeOver) {
    throw new LocalizerError("conflict", `${held.message}; if it is not there any more, --take-over ends it`);
  }
  await endSilent(components, { lease, key, held }, options);
}

/**
 * Sees that no session of another Service that is silent holds an owner of the plan. Leaves those alone that do not name
 * themselves by a Lease: they are no obstacle. Gives whether something was put back: the plan's numbers are then of the past.
 * @throws LocalizerError `conflict` when the session lives; what could not be put back; as the API
 */
export async function makeOwnersRoom(
  components: RoomComponents,
  { key, owners }: Pick<ExposePlan, "key" | "owners">,
  options: RoomOptions & { readonly mates: readonly string[] },
): Promise<boolean> {
  const { objects } = components;
  const { mates, takeOver, signal } = options;
  if (!takeOver) return false;
  const ended = new Set<string>();
  for (const owner of owners) {
    const now = await seeOwner(objects, owner, signal);
    for (const session of now?.mark?.sessions ?? []) {
      if (mates.includes(session) || ended.has(session)) continue;
      for (const { lease, key: other } of await leasesOf(components, namespaceOf(key), session, signal)) {
        const whose = describeHolder({ lease, key: other, namespace: namespaceOf(key) });
        const sentence = `Cannot expose "${key}": ${describeOwner(owner)} is held by ${whose}`;
        await endSilent(components, { lease, key: other, held: new LocalizerError("conflict", sentence) }, options);
        ended.add(session);
      }
    }
  }
  return ended.size > 0;
}

/** Where they may not be listed the scaling will say so. */
async function leasesOf(
  { objects }: RoomComponents,
  namespace: string,
  session: string,
  signal: AbortSignal,
): Promise<readonly FoundLease[]> {
  try {
    return await heldLeases(objects, { namespace, sessions: [session] }, signal);
  } catch (error) {
    if (codeOf(error) === "denied") return [];
    throw error;
  }
}

/** What stands in the way. */
interface Obstacle {
  readonly lease: SeenLease;
  /** Of the Service that it exposes, as far as that is known. */
  readonly key: ServiceKey | undefined;
  /** Thrown when it lives. */
  readonly held: LocalizerError;
}

async function endSilent(
  components: RoomComponents,
  { lease, key, held }: Obstacle,
  { holder, signal, report }: RoomOptions,
): Promise<void> {
  const seconds = Math.round(lease.durationMs / 1_000);
  const who = lease.holder || "the holder";
  report({ level: "info", step: "preflight", message: `Waiting up to ${seconds} s for a sign of life of ${who}` });
  if (await isAlive(components, lease, signal)) throw held;
  const message = `Taking over from ${who}, who gives no sign of life`;
  report({ level: "warn", step: "preflight", message });
  using limit = deadline(components.clock, limitMs, `Cannot put back what ${who} has left`);
  const either = AbortSignal.any([signal, limit.signal]);
  const by = newClaim(holder);
  try {
    if (!(await endDead(components, lease, key, { signal: either, report, waitMs: 0, by }))) throw held;
  } catch (error) {
    throw deadlineError(error, limit.signal);
  }
}
