/** What was measured: rows, measures, samples. In this shape it goes into the JSON file. */

/** The rows, in the order in which they run: those that share a lab follow each other, and what may leave traces in it comes last. */
export const rowNames = [
  "connect",
  "burst",
  "rate",
  "bulk",
  "half",
  "refused",
  "stuck",
  "crowd",
  "idle",
  "failover",
  "scale",
  "expose",
  "exposed",
  "steady",
  "many",
  "start",
  "list",
] as const;

/** The name of a row, as `--only` takes it. */
export type RowName = (typeof rowNames)[number];

/** Who is measured. "relay" is no rival but the ceiling: a TCP relay in Node to an application on loopback, no cluster in between. */
export const contenderNames = ["localizer", "kubectl", "relay"] as const;

/** The name of a contender. */
export type ContenderName = (typeof contenderNames)[number];

/** One thing that is measured. */
export interface Measure {
  readonly name: string;
  /** Empty for a plain count. */
  readonly unit: string;
  readonly better: "less" | "more";
  /** What is to be reached, in words: `≤ 0.6 × kubectl`. */
  readonly reach?: string;
  /** Left out of the table, which would be too long otherwise: in the JSON file alone. */
  readonly detail?: true;
}

/** A figure, or the word for what happened in its place: "exits". */
export type Value = number | string;

/** A measure and what came out, a sample for each repeat: sample i of one contender was taken next to sample i of the other. */
export interface MeasureResult extends Measure {
  readonly samples: Readonly<Partial<Record<ContenderName, readonly Value[]>>>;
}

/** One row. With `failure` it could not be measured to its end, and the samples are those before. */
export interface RowResult {
  readonly row: RowName;
  readonly measures: readonly MeasureResult[];
  /** What a reader has to know to read the figures. */
  readonly notes: readonly string[];
  /** What keeps the figures from being better, for the document. */
  readonly limits: string;
  /** How long the row took. */
  readonly seconds: number;
  readonly failure?: string;
}

/** Collects the samples of one row. */
export class Recorder {
  readonly #row: RowName;
  readonly #limits: string;
  readonly #startedMs = performance.now();
  readonly #measures = new Map<string, Measure & { readonly samples: Partial<Record<ContenderName, Value[]>> }>();
  readonly #notes = new Set<string>();
  readonly #retakes = new Map<ContenderName, { readonly reason: string; count: number }>();
  readonly #restarts: string[] = [];

  constructor(row: RowName, limits: string) {
    this.#row = row;
    this.#limits = limits;
  }

  /** Adds a sample; the measures, told apart by name and unit, keep the order in which they come first. */
  add(measure: Measure, contender: ContenderName, value: Value): void {
    const key = `${measure.name}, ${measure.unit}`;
    const known = this.#measures.get(key) ?? { ...measure, samples: {} };
    this.#measures.set(key, known);
    const samples = known.samples[contender] ?? [];
    known.samples[contender] = samples;
    samples.push(value);
  }

  /** Adds a sample of each of several measures. */
  addAll(samples: readonly (readonly [Measure, Value])[], contender: ContenderName): void {
    for (const [measure, value] of samples) this.add(measure, contender, value);
  }

  /** Adds a note unless it stands there already. */
  note(sentence: string): void {
    this.#notes.add(sentence);
  }

  /** A sample could not be taken and is taken once more: what fails now and then shall not look as if it did not. */
  retaken(contender: ContenderName, reason: string): void {
    const known = this.#retakes.get(contender) ?? { reason, count: 0 };
    known.count++;
    this.#retakes.set(contender, known);
  }

  /** The row begins again: forgets its samples, but not what failed so far. */
  restart(reason: string): void {
    this.#measures.clear();
    this.#restarts.push(reason);
  }

  /** The row as it is now. */
  result(failure?: string): RowResult {
    const plain = {
      row: this.#row,
      measures: [...this.#measures.values()],
      notes: [...this.#notes, ...this.#mishaps()],
      limits: this.#limits,
      seconds: Math.round((performance.now() - this.#startedMs) / 1000),
    };
    return failure === undefined ? plain : { ...plain, failure };
  }

  #mishaps(): readonly string[] {
    const retakes = [...this.#retakes].map(
      ([contender, { reason, count }]) =>
        `${contender}: ${count} ${count === 1 ? "sample" : "samples"} failed and taken once more, the first for: ${reason}`,
    );
    return [
      ...retakes,
      ...this.#restarts.map((reason) => `the whole row measured again from the beginning, for: ${reason}`),
    ];
  }
}
