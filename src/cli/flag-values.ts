/** Values of flags: from the command line, else from the environment. Still text; whoever needs one checks it. */
import { LocalizerError } from "../errors.ts";
import { isLogLevel } from "../log.ts";
import type { FlagHelp } from "./flag-help.ts";

/** By the flag's name without dashes. A flag that was not given is not in it; a switch has "true" or "false". */
export type FlagValues = ReadonlyMap<string, readonly string[]>;

/** The value of a flag, the last one if it was given more than once. */
export function one(flags: FlagValues, name: string): string | undefined {
  return flags.get(name)?.at(-1);
}

/** All values of a flag that may be repeated; each may be a list with commas. */
export function many(flags: FlagValues, name: string): readonly string[] {
  return (flags.get(name) ?? []).flatMap((text) => text.split(",")).filter((text) => text !== "");
}

/** @throws LocalizerError `usage` when a switch has a value that is neither yes nor no */
export function isOn(flags: FlagValues, name: string): boolean {
  const text = one(flags, name) ?? "false";
  switch (text.toLowerCase()) {
    case "1":
    case "true":
    case "yes":
      return true;
    case "0":
    case "false":
    case "no":
      return false;
    default:
      throw new LocalizerError("usage", `Cannot use "${text}" for --${name}: want true or false`);
  }
}

/**
 * Adds what the environment says of the known flags that were not given: `LOCALIZER_<FLAG>`, then the original's variables.
 * An empty variable counts as none, and so does that of a flag that a given one beats.
 */
export function withEnvironment(
  given: FlagValues,
  env: NodeJS.ProcessEnv,
  known: Readonly<Record<string, FlagHelp>>,
): FlagValues {
  const values = new Map(given);
  const beaten = Object.entries(known).flatMap(([name, { beats }]) => (beats && isOn(given, name) ? [beats] : []));
  for (const [name, flag] of Object.entries(known)) {
    if (values.has(name) || flag.env === false || beaten.includes(name)) continue;
    const text = env[variableOf(name)] || fromOriginal(name, env);
    if (text) values.set(name, [text]);
  }
  return values;
}

/** LOCALIZER_LOG_LEVEL for log-level. */
export function variableOf(name: string): string {
  return `LOCALIZER_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** The original's variables. Other programs use LOG_LEVEL and LOG_FORMAT too, so words not known here are no error. */
function fromOriginal(name: string, env: NodeJS.ProcessEnv): string | undefined {
  switch (name) {
    case "context":
      return env.KUBECONTEXT;
    case "log-level":
      return isLogLevel(env.LOG_LEVEL?.toLowerCase() ?? "") ? env.LOG_LEVEL : undefined;
    case "log-format":
      return /^(text|json)$/i.test(env.LOG_FORMAT ?? "") ? env.LOG_FORMAT : undefined;
    default:
      return undefined;
  }
}
