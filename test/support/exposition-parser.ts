/**
 * Reads Prometheus' text exposition format 0.0.4 as strictly as its grammar is, and throws where a text breaks it. Shares
 * nothing with what writes it.
 */

/** One line. */
export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: [""],
  gauge: [""],
  histogram: ["_bucket", "_sum", "_count"],
};

/** The samples, in order. Each must stand under the HELP and the TYPE of its family, whose lines stand together. */
export function parseExposition(text: string): readonly ParsedSample[] {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const samples: ParsedSample[] = [];
  const families = new Set<string>();
  let family = "";
  let type: string | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) [^\\]+$/.exec(line);
    const typed = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line);
    if (help !== null) {
      family = help[1] ?? "";
      type = undefined;
      if (families.has(family)) throw new Error(`${family} comes twice`);
      families.add(family);
    } else if (typed !== null) {
      if (typed[1] !== family || type !== undefined) throw new Error(`${line} stands in a wrong place`);
      type = typed[2];
      if ((type === "counter") !== family.endsWith("_total")) throw new Error(`${family} is a ${type}`);
    } else {
      const sample = parseSample(line);
      const fits = suffixes[type ?? ""]?.some((suffix) => sample.name === family + suffix);
      if (fits !== true) throw new Error(`${line} stands under ${family}, a ${type}`);
      if (type === "histogram" && sample.name.endsWith("_bucket") !== "le" in sample.labels) throw new Error(line);
      samples.push(sample);
    }
  }
  return samples;
}

function parseSample(line: string): ParsedSample {
  const [, name = "", inner, number = ""] = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s.exec(line) ?? fail(line);
  const labels: Record<string, string> = {};
  const label = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^\\"\n]|\\[\\"n])*)"(?:,|$)/gy;
  for (let at = 0; at < (inner ?? "").length; at = label.lastIndex) {
    label.lastIndex = at;
    const [, key = "", value = ""] = label.exec(inner ?? "") ?? fail(line);
    if (key in labels) fail(line);
    labels[key] = value.replace(/\\(.)/g, (_, letter: string) => (letter === "n" ? "\n" : letter));
  }
  const value = Number(number);
  if (number === "" || Number.isNaN(value)) fail(line);
  return { name, labels, value };
}

function fail(line: string): never {
  throw new Error(`not a sample: ${line}`);
}
