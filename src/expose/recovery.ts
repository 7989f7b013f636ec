/** Puts back what dead daemons have left, as their journals say: each session for itself, for one may be watched for minutes. */
import { LocalizerError } from "../errors.ts";
import type { Logger } from "../log.ts";
import type { ServiceKey } from "../model/service-key.ts";
import type { JournalEntry } from "./journal.ts";
import { endRecorded, type RecordedComponents, type RecordedOptions } from "./recorded-sessions.ts";
import type { Report } from "./report.ts";
import type { Retries } from "./retries.ts";

/** Whose, and by whom. */
export interface RecoveryOptions extends Pick<RecordedOptions, "holder" | "signal" | "limitMs"> {
  /** The API server's URL. */
  readonly server: string;
  /** For what fails. */
  readonly retries: Retries;
}

/** Promises that what fails is told as long as it is so, and tried again for as long as the retries last. */
export class Recovery {
  readonly #components: RecordedComponents & { readonly log: Logger };
  readonly #options: RecoveryOptions;
  /** Sessions that were begun with. */
  readonly #seen = new Set<string>();
  /** By session. */
  readonly #failures = new Map<string, string>();
  /** By path; of all of the journal by "". */
  #unreadable: ReadonlyMap<string, string> = new Map();

  constructor(components: RecordedComponents & { readonly log: Logger }, options: RecoveryOptions) {
    this.#components = components;
    this.#options = options;
  }

  /** What could not be put back yet, a sentence each. */
  get notices(): readonly string[] {
    const { endings } = this.#components.journal;
    // Somebody else in this process may have come to the end of it before the next try.
    const failures = [...this.#failures]
      .filter(([session]) => !endings.isOver(session))
      .map(([, sentence]) => sentence);
    return [...this.#unreadable.values(), ...failures];
  }

  /**
   * Puts back at once what an earlier daemon of this machine has left of a Service's exposure, or waits for who is doing so in this
   * process. Gives whether there was any.
   * @param options.session which one is meant; empty: whichever there is
   * @throws LocalizerError what could not be put back
   */
  async endNow(
    key: ServiceKey,
    { session, report }: { readonly session: string; readonly report: Report },
  ): Promise<boolean> {
    const { holder, signal, limitMs } = this.#options;
    const { entries } = await this.#read();
    const left = entries.filter(({ record, isElsewhere }) => {
      return record.key === key && !isElsewhere && (session === "" || record.session === session);
    });
    for (const { record } of left) {
      const message = `Putting back what an earlier daemon has left of "${key}"`;
      report({ level: "info", step: "scale-back", message });
      await endRecorded(this.#components, record, { holder, signal, limitMs, report });
    }
    return left.length > 0;
  }

  /** Resolves when all was tried once. Never rejects. */
  async run(): Promise<void> {
    if (!(await this.#begin())) this.#options.retries.start("journal", () => this.#begin());
  }

  /** Begins with each session that the journal has and that is new here. Gives whether all of the journal could be read: that costs no call. */
  async #begin(): Promise<boolean> {
    const { entries, unreadable } = await this.#read();
    this.#unreadable = unreadable;
    const fresh = entries.filter(({ record }) => !this.#seen.has(record.session));
    for (const { record } of fresh) this.#seen.add(record.session);
    await Promise.all(fresh.map((entry) => this.#try(entry)));
    return unreadable.size === 0;
  }

  /** Never rejects. */
  async #try(entry: JournalEntry): Promise<void> {
    const { session } = entry.record;
    if (await this.#end(entry)) return;
    this.#options.retries.start(session, async () => {
      // An exposure that came meanwhile may have put it back already.
      const { entries, unreadable } = await this.#read();
      const now = entries.find(({ record }) => record.session === session);
      if (now !== undefined) return await this.#end(now);
      if ([...unreadable.keys()].some((path) => path === "" || path.includes(session))) return false;
      this.#failures.delete(session);
      return true;
    });
  }

  /** Gives whether nothing is to be tried again. Never rejects. */
  async #end({ record, isElsewhere }: JournalEntry): Promise<boolean> {
    const { log } = this.#components;
    const { holder, signal, limitMs } = this.#options;
    const { key, session } = record;
    const report: Report = ({ level, message }) => log[level](message, { key });
    const what = isElsewhere
      ? "Looking whether another machine's exposure lives"
      : "Putting back what an earlier daemon has left";
    log.info(what, { key, session });
    try {
      const options = { holder, signal, limitMs, report, isElsewhere };
      const isEnded = await endRecorded(this.#components, record, options);
      if (!isEnded) log.info("The exposure lives, on another machine with this home folder", { key, session });
      this.#failures.delete(session);
      return true;
    } catch (error) {
      if (!signal.aborted) {
        this.#failures.set(session, `Cannot put back "${key}": ${LocalizerError.from(error).message}`);
      }
      return false;
    }
  }

  /** Never rejects. */
  async #read(): Promise<{ entries: readonly JournalEntry[]; unreadable: ReadonlyMap<string, string> }> {
    const unreadable = new Map<string, string>();
    try {
      const entries = await this.#components.journal.dead(this.#options.server, (path, error) => {
        const why = LocalizerError.from(error).message;
        unreadable.set(path, `Cannot read the journal "${path}" of an exposure: ${why}`);
      });
      return { entries, unreadable };
    } catch (error) {
      return { entries: [], unreadable: unreadable.set("", LocalizerError.from(error).message) };
    }
  }
}
