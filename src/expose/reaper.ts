/**
 * Looks for forgotten sessions again and again, and puts back what they have changed. Promises that one that gives signs of
 * life is left alone, that one which cannot be ended holds up no other, and that nothing is said twice.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { newClaim } from "./claim.ts";
import { describeEnd, describeHolder, endSuspect, type RestoreOptions } from "./forgotten.ts";
import { type FoundLease, findLeases } from "./found-leases.ts";
import type { ExposeLine, Report } from "./report.ts";
import { type Claim, claimMs, type SeenLease } from "./session-lease.ts";
import { Silences } from "./silence.ts";
import {
  findSuspects,
  placeOf,
  type SearchComponents,
  type SearchedKinds,
  type Suspect,
  scalableKinds,
} from "./suspects.ts";

/** How it is done; a grace is of use here, for the holder's machine may wake up. */
export interface ReaperOptions extends RestoreOptions {
  /** All when undefined. */
  readonly namespaces?: readonly string[] | undefined;
  /** From the end of a look to the next. */
  readonly everyMs: number;
}

/**
 * From one look at all owners to the next, where no Lease asks for one: they may be tens of thousands. And for so long it is
 * remembered which kinds are served, which takes a request for each group.
 */
const seldomMs = 600_000;
/**
 * What was claimed and could not be put back is left alone for so many lives of a claim: who watches it for one of them, now and
 * then, takes it over in that time. A reaper without the rights would keep it for good.
 */
const restingClaims = 5;

/** Looks until the signal fires, and returns then, when nothing is under way any more. Whatever fails is reported and tried again. */
export async function reap(components: SearchComponents, options: ReaperOptions): Promise<void> {
  const { clock } = components;
  const { signal, report, everyMs, namespaces } = options;
  const reapers = (namespaces ?? [undefined]).map((namespace) => new Reaper(components, namespace, options));
  const kinds = rememberedKinds(components, { ...options, report: once(report) });
  while (!signal.aborted) {
    for (const reaper of reapers) await reaper.look(kinds);
    await clock.sleep(everyMs, signal).catch(() => {});
  }
  await Promise.all(reapers.map((reaper) => reaper.ended()));
}

/** Looks at one namespace, or at all. */
class Reaper {
  readonly #components: SearchComponents;
  readonly #namespace: string | undefined;
  readonly #options: ReaperOptions;
  readonly #silences = new Silences();
  /** Its own, so that what it has claimed and could not put back is tried again without another silence. */
  readonly #by: Claim;
  /** By `placeOf`, while it is being ended. */
  readonly #endings = new Map<string, Promise<void>>();
  /** By `placeOf`: no earlier than this it is tried again. */
  readonly #notBeforeMs = new Map<string, number>();
  /** By `placeOf`: what was said of it, and whatever was said need not be said again. */
  readonly #reports = new Map<string, Report>();
  readonly #reportOfLook: Report;
  /** Of the last look; undefined: it failed, or was none. */
  #lookedMs: number | undefined;
  #trouble = "";
  /** As the last look saw them: one that is not found any more may have left owners behind. */
  #leases: readonly SeenLease[] = [];
  /** When owners are to be looked at, whatever Leases say. */
  #ownersDueMs = -Infinity;

  constructor(components: SearchComponents, namespace: string | undefined, options: ReaperOptions) {
    this.#components = components;
    this.#namespace = namespace;
    this.#options = options;
    this.#by = options.by ?? newClaim("localizer reaper");
    this.#reportOfLook = once(options.report);
  }

  /** Never rejects. */
  async look(kinds: () => Promise<SearchedKinds>): Promise<void> {
    const { signal, report } = this.#options;
    try {
      const where = { namespace: this.#namespace };
      const leases = await findLeases(this.#components.objects, where, signal);
      const present = new Set(leases.map(({ lease }) => lease.uid));
      const missing = this.#leases.filter(({ uid }) => !present.has(uid));
      // A missing one may only have lost its labels: the look at owners tells, and its silence is not forgotten before.
      this.#watch([...leasesOf(leases), ...missing]);
      const known = new Map(leases.map((one) => [placeOf(one), { ...one, owners: new Map() }]));
      let found: readonly Suspect[] = [...known.values()];
      if (missing.length > 0 || this.#isDue(leases)) {
        // Until it is known that there is nothing to do.
        this.#ownersDueMs = -Infinity;
        const search = { signal, report: this.#reportOfLook };
        found = await findSuspects(this.#components, where, await kinds(), search);
        this.#watch(leasesOf(found));
        // What cannot be put back now has no Lease that would ask for it.
        const isAllLeased = found.every(({ lease }) => lease !== undefined);
        if (isAllLeased) this.#ownersDueMs = this.#components.clock.monotonic() + seldomMs;
      }
      this.#leases = leasesOf(found);
      this.#judge(found);
      if (this.#trouble !== "") report({ level: "info", step: "preflight", message: "Could look again" });
      this.#trouble = "";
    } catch (thrown) {
      // While nobody could look nobody may have been able to give a sign of life either.
      this.#lookedMs = undefined;
      const { code, message } = LocalizerError.from(thrown);
      if (code === "aborted" || message === this.#trouble) return;
      this.#trouble = message;
      report({ level: "error", step: "preflight", message });
    }
  }

  /** Resolves when no session is being ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#endings.values());
  }

  /** How long each of them has been silent. */
  #watch(leases: readonly SeenLease[]): void {
    this.#silences.look(leases, this.#gapMs());
  }

  /** Whether owners are to be looked at, too. */
  #isDue(found: readonly FoundLease[]): boolean {
    const { graceMs = 0 } = this.#options;
    if (this.#components.clock.monotonic() >= this.#ownersDueMs) return true;
    return found.some((one) => this.#overdueMs(one) >= graceMs && !this.#isPending(placeOf(one)));
  }

  /** Whether it is being ended, or rests after that has failed. */
  #isPending(place: string): boolean {
    const { clock } = this.#components;
    return this.#endings.has(place) || clock.monotonic() < (this.#notBeforeMs.get(place) ?? -Infinity);
  }

  /** Negative while it has time for a sign of life. */
  #overdueMs({ lease }: Pick<Suspect, "lease">): number {
    const isFree = lease === undefined || lease.claim === this.#by.id;
    return isFree ? Infinity : this.#silences.of(lease) - lease.durationMs;
  }

  #judge(suspects: readonly Suspect[]): void {
    const { graceMs = 0 } = this.#options;
    const present = new Set(suspects.map(placeOf));
    for (const place of this.#reports.keys()) {
      if (present.has(place) || this.#endings.has(place)) continue;
      this.#reports.delete(place);
      this.#notBeforeMs.delete(place);
    }
    for (const suspect of suspects) {
      const place = placeOf(suspect);
      if (this.#isPending(place)) continue;
      const overdueMs = this.#overdueMs(suspect);
      if (overdueMs >= graceMs) this.#end(suspect);
      else if (overdueMs >= 0) this.#warn(suspect, graceMs);
      else if (this.#reports.delete(place)) this.#revived(suspect);
    }
  }

  #warn(suspect: Suspect, graceMs: number): void {
    const seconds = Math.round(graceMs / 1_000);
    const message = `No sign of life of ${describeHolder(suspect)}: what it has changed is put back unless one comes within ${seconds} s`;
    this.#reportOf(suspect)({ level: "warn", step: "preflight", message });
  }

  #revived(suspect: Suspect): void {
    const message = `A sign of life of ${describeHolder(suspect)}: it is left alone`;
    this.#options.report({ level: "info", step: "preflight", message });
  }

  /** In the background: its workload may take minutes to become ready. */
  #end(suspect: Suspect): void {
    const place = placeOf(suspect);
    let isNews = suspect.lease !== undefined;
    const say = this.#reportOf(suspect);
    const report: Report = (line) => {
      isNews = true;
      say(line);
    };
    const run = async () => {
      try {
        const options = { ...this.#options, report, by: this.#by };
        if (!(await endSuspect(this.#components, suspect, options))) return;
        // Its holder may have ended it in the meantime: then there was nothing to put back.
        if (isNews) say({ level: "info", step: "ended", message: describeEnd(suspect) });
      } catch (thrown) {
        const { code, message } = LocalizerError.from(thrown);
        if (code !== "aborted") report({ level: "error", step: "scale-back", message });
        this.#rest(suspect);
      } finally {
        this.#endings.delete(place);
      }
    };
    this.#endings.set(place, run());
  }

  /** A refusal comes before any claim, and what has no Lease cannot be claimed. */
  #rest({ lease, refusal, ...suspect }: Suspect): void {
    if (lease === undefined || refusal !== undefined) return;
    const restMs = restingClaims * claimMs(lease);
    this.#notBeforeMs.set(placeOf(suspect), this.#components.clock.monotonic() + restMs);
  }

  #reportOf(suspect: Suspect): Report {
    const place = placeOf(suspect);
    const known = this.#reports.get(place) ?? once(this.#options.report);
    this.#reports.set(place, known);
    return known;
  }

  /** A pause of this process, or of its machine, is not counted in full. */
  #gapMs(): number {
    const now = this.#components.clock.monotonic();
    const gapMs = this.#lookedMs === undefined ? 0 : now - this.#lookedMs;
    this.#lookedMs = now;
    return Math.min(gapMs, 2 * this.#options.everyMs);
  }
}

function leasesOf(found: readonly Pick<Suspect, "lease">[]): readonly SeenLease[] {
  return found.flatMap(({ lease }) => lease ?? []);
}

/** Says each line once. */
function once(report: Report): Report {
  const said = new Set<string>();
  return (line: ExposeLine) => {
    if (said.has(line.message)) return;
    said.add(line.message);
    report(line);
  };
}

/** What was not told in full is asked again by the next look. */
function rememberedKinds(
  components: SearchComponents & { readonly clock: Clock },
  options: Pick<ReaperOptions, "signal" | "report" | "everyMs">,
): () => Promise<SearchedKinds> {
  let known: { readonly kinds: SearchedKinds; readonly untilMs: number } | undefined;
  return async () => {
    const now = components.clock.monotonic();
    if (known === undefined || known.untilMs <= now) {
      const kinds = await scalableKinds(components, options);
      known = { kinds, untilMs: now + (kinds.unknownGroups.size === 0 ? seldomMs : options.everyMs / 2) };
    }
    return known.kinds;
  };
}
