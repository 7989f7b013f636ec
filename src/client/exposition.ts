/** The grammar of Prometheus' text exposition format 0.0.4: families of samples as lines. Pure. */

/** By name, in the order in which they are printed. */
export type Labels = Readonly<Record<string, string>>;

/** One line. */
export interface Sample {
  /** What its name has behind the family's: "_bucket". */
  readonly suffix?: string;
  readonly labels: Labels;
  readonly value: number;
}

/** Samples of one name. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** Its lines, those of HELP and TYPE first; empty when there is no sample. Names and help are taken as they are. */
export function familyText({ name, type, help, samples }: Family): string {
  if (samples.length === 0) return "";
  const lines = samples.map(({ suffix = "", labels, value }) => `${name}${suffix}${labelText(labels)} ${value}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines].map((line) => `${line}\n`).join("");
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

/** Backslash, double quote and line feed, and nothing else. */
function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
