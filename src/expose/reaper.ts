/**
 * Looks for forgotten sessions again and again, and puts back what they have changed. Promises that one that gives signs of
 * life is left alone, that one which cannot be ended holds up no other, and that nothing is said twice.
 */
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import type { ServedKind } from "../kube/discovery.ts";
import { newClaim } from "./claim.ts";
import { describeEnd, describeHolder, endSuspect, type RestoreOptions } from "./forgotten.ts";
import type { ExposeLine, Report } from "./report.ts";
import type { Claim } from "./session-lease.ts";
import { Silences } from "./silence.ts";
import { findSuspects, type SearchComponents, type Suspect, scalableKinds } from "./suspects.ts";

/** How it is done; a grace is of use here, for the holder's machine may wake up. */
export interface ReaperOptions extends RestoreOptions {
  /** All when undefined. */
  readonly namespaces?: readonly string[] | undefined;
  /** From the end of a look to the next. */
  readonly everyMs: number;
}

/** Which kinds are served changes seldom, and takes a request for each group. */
const kindsMs = 600_000;

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
  /** Its own, so that what it has claimed and could not put back is tried again at the next look. */
  readonly #by: Claim;
  /** By session, while it is being ended. */
  readonly #endings = new Map<string, Promise<void>>();
  /** By session: what was said of it, and whatever was said need not be said again. */
  readonly #reports = new Map<string, Report>();
  readonly #reportOfLook: Report;
  /** Of the last look; undefined: it failed, or was none. */
  #lookedMs: number | undefined;
  #trouble = "";

  constructor(components: SearchComponents, namespace: string | undefined, options: ReaperOptions) {
    this.#components = components;
    this.#namespace = namespace;
    this.#options = options;
    this.#by = options.by ?? newClaim("localizer reaper");
    this.#reportOfLook = once(options.report);
  }

  /** Never rejects. */
  async look(kinds: () => Promise<readonly ServedKind[]>): Promise<void> {
    const { signal, report } = this.#options;
    try {
      const where = { namespace: this.#namespace };
      const search = { signal, report: this.#reportOfLook };
      this.#judge(await findSuspects(this.#components, where, await kinds(), search));
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

  #judge(suspects: readonly Suspect[]): void {
    const { graceMs = 0 } = this.#options;
    this.#silences.look(
      suspects.flatMap(({ lease }) => (lease === undefined ? [] : [lease])),
      this.#gapMs(),
    );
    const present = new Set(suspects.map(({ session }) => session));
    for (const session of this.#reports.keys()) {
      if (!present.has(session) && !this.#endings.has(session)) this.#reports.delete(session);
    }
    for (const suspect of suspects) {
      const { lease, session } = suspect;
      const isFree = lease === undefined || lease.claim === this.#by.id;
      const overdueMs = isFree ? Infinity : this.#silences.of(lease) - lease.durationMs;
      if (overdueMs >= graceMs) this.#end(suspect);
      else if (overdueMs >= 0) this.#warn(suspect, graceMs);
      else if (!this.#endings.has(session) && this.#reports.delete(session)) this.#revived(suspect);
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
    const { session, lease } = suspect;
    if (this.#endings.has(session)) return;
    let isNews = lease !== undefined;
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
      } finally {
        this.#endings.delete(session);
      }
    };
    this.#endings.set(session, run());
  }

  #reportOf({ session }: Suspect): Report {
    const known = this.#reports.get(session) ?? once(this.#options.report);
    this.#reports.set(session, known);
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

/** Says each line once. */
function once(report: Report): Report {
  const said = new Set<string>();
  return (line: ExposeLine) => {
    if (said.has(line.message)) return;
    said.add(line.message);
    report(line);
  };
}

function rememberedKinds(
  components: SearchComponents & { readonly clock: Clock },
  options: Pick<ReaperOptions, "signal" | "report">,
): () => Promise<readonly ServedKind[]> {
  let known: { readonly kinds: readonly ServedKind[]; readonly untilMs: number } | undefined;
  return async () => {
    const now = components.clock.monotonic();
    if (known === undefined || known.untilMs <= now) {
      known = { kinds: await scalableKinds(components, options), untilMs: now + kindsMs };
    }
    return known.kinds;
  };
}
