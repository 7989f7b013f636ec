/** Lengths of time as people type them. Pure. */
import { LocalizerError } from "../errors.ts";

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A timer takes no more than 2^31 - 1 ms, some 24 days. */
const maxMs = 2 ** 31 - 1;

/**
 * "500ms", "30s", "1.5m", "1h30m" or plain seconds, in milliseconds. `flag` is named in the error.
 * @throws LocalizerError `usage` when it is none of these, or longer than 24 days
 */
export function parseDuration(text: string, flag: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const isPlain = /^\d+(\.\d+)?$/.test(text);
  if (!isPlain && (parts.length === 0 || parts.map(([part]) => part).join("") !== text)) {
    throw new LocalizerError(
      "usage",
      `Cannot use "${text}" for --${flag}: want a time such as 500ms, 30s, 2m or 1h30m`,
    );
  }
  const ms = isPlain
    ? Number(text) * 1_000
    : parts.reduce((sum, [, number = "", unit = ""]) => sum + Number(number) * (unitsMs[unit] ?? Number.NaN), 0);
  if (ms > maxMs) throw new LocalizerError("usage", `Cannot use "${text}" for --${flag}: want at most 24 days (576h)`);
  return Math.round(ms);
}
