/** Answers the shells' completion scripts: a line a candidate on stdout, and never a word of what went wrong. */
import type { Command } from "./command.ts";
import { filesLine } from "./completion-scripts.ts";
import { type Candidate, completionAt } from "./completions.ts";
import { daemonClient } from "./daemon-client.ts";
import { type FlagValues, withEnvironment } from "./flag-values.ts";
import { globalFlags } from "./global-flags.ts";
import type { CliIo } from "./io.ts";
import { oneLine } from "./table.ts";

/** Somebody holds his finger over the key. */
const answerTimeoutMs = 1_000;

/** Prints what could stand where the last of the words is. Always 0: without a daemon there is only less to say. */
export async function complete(words: readonly string[], commands: readonly Command[], io: CliIo): Promise<number> {
  const { before, typed, fits } = completionAt(words, commands);
  if (fits === "files") {
    io.stdout(`${filesLine}\n`);
    return 0;
  }
  const candidates = typeof fits === "string" ? await known(fits, words, io).catch(() => []) : fits;
  const lines = candidates
    .filter(({ word }) => word.startsWith(typed))
    .map(({ word, text }) => `${oneLine(`${before}${word}`)}\t${oneLine(text)}\n`);
  io.stdout(lines.join(""));
  return 0;
}

/** What the daemon knows. */
async function known(
  what: "services" | "exposed" | "namespaces",
  words: readonly string[],
  io: CliIo,
): Promise<readonly Candidate[]> {
  const { client } = await daemonClient(withEnvironment(socketFlag(words), io.env, globalFlags), io);
  await using _client = client;
  const { services, exposures } = await client.list({ timeoutMs: answerTimeoutMs });
  if (what === "exposed") {
    const all = exposures.map(({ namespace, service, state }) => ({ word: `${namespace}/${service}`, text: state }));
    return all.sort((a, b) => (a.word < b.word ? -1 : 1));
  }
  if (what === "services") {
    const all = services.map(({ namespace, name, status }) => ({ word: `${namespace}/${name}`, text: status }));
    return all.sort((a, b) => (a.word < b.word ? -1 : 1));
  }
  const namespaces = new Set(services.map(({ namespace }) => namespace));
  return [...namespaces].sort().map((word) => ({ word, text: "" }));
}

/** Of the words typed so far only those matter that say which daemon it is. bash gives `--socket=FILE` as three words. */
function socketFlag(words: readonly string[]): FlagValues {
  const [flag = "", next, afterNext] = words.slice(words.findLastIndex((word) => /^--socket(=|$)/.test(word)));
  const [, inline] = /^--socket=(.+)$/s.exec(flag) ?? [];
  const path = inline ?? (next === "=" ? afterNext : next);
  return new Map(flag.startsWith("--socket") && path ? [["socket", [path]]] : []);
}
