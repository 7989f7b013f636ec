/** `localizer restore`: puts back what exposures have left whose daemons are gone, from any machine. */
import type { Restored, RestoreRequest, Restorer } from "../../daemon/restore.ts";
import { LocalizerError } from "../../errors.ts";
import { serviceKey } from "../../model/service-key.ts";
import type { Command } from "../command.ts";
import { daemonSettings, namespacesOf } from "../daemon-settings.ts";
import { parseDuration } from "../duration.ts";
import { type FlagValues, isOn, one } from "../flag-values.ts";
import type { CliIo } from "../io.ts";
import { oneLine } from "../table.ts";
import { parseTarget } from "../target.ts";

/** How long a workload may take to become ready before the forgotten pod goes; `--no-wait`: not at all. */
const readyMs = 300_000;
/** A look may be a list of every scalable kind. */
const minEveryMs = 1_000;

/** Exits with 0 also when there was nothing to restore, with the code of the first failure else. */
export const restore: Command = restoreCommand();

/** The command; `load` gives what restores, by default from the daemon's room. */
export function restoreCommand(load: () => Promise<Restorer> = loadRestorer): Command {
  return {
    name: "restore",
    operands: "[[NAMESPACE/]SERVICE]",
    maxOperands: 1,
    summary: "put back what forgotten exposures have changed in the cluster",
    details:
      "Looks in the context's namespace unless told otherwise, for a service alone, too. An exposure counts as forgotten when it gives no sign of life for as long as it has promised one (60 s, if its owner has not chosen otherwise; 10 minutes at most), which is watched; one that gives signs of life, be it still starting or on its way back, is never touched, whoever it belongs to. Needs no daemon. `localizer cluster manifest` prints what does this in the cluster itself, all the time.",
    flags: {
      all: {
        type: "boolean",
        env: false,
        beats: "namespace",
        text: "look in all namespaces, whatever $LOCALIZER_NAMESPACE says",
      },
      "no-wait": {
        type: "boolean",
        env: false,
        text: "do not wait until a workload is ready before the forgotten pod goes",
      },
      grace: { type: "string", value: "DURATION", env: false, text: "so much longer it may be silent; default 0s" },
      every: {
        type: "string",
        value: "DURATION",
        env: false,
        text: "look again and again, until stopped, and say only what is new",
      },
    },
    words: "services",
    async run({ io, flags, operands }) {
      const stop = new AbortController();
      using _requests = io.onStop(() => stop.abort());
      const options = daemonSettings(flags, io);
      const request: RestoreRequest = {
        scope: scopeOf(flags, operands),
        waitMs: isOn(flags, "no-wait") ? 0 : readyMs,
        graceMs: parseDuration(one(flags, "grace") ?? "0s", "grace"),
        report: ({ level, message }) => io.stdout(`${level === "info" ? "" : `${level}: `}${oneLine(message)}\n`),
      };
      const everyMs = everyOf(flags, request.scope);
      const restorer = await load();
      if (everyMs === undefined) return say(io, await restorer.once(options, request, stop.signal));
      const onStart = (where: string) =>
        io.stdout(`Looking for forgotten exposures in ${oneLine(where)}, every ${everyMs / 1_000} s\n`);
      await restorer.repeatedly(options, { ...request, everyMs, onStart }, stop.signal);
      return 0;
    },
  };
}

/** Says what came of it. @throws LocalizerError the first failure */
function say(io: CliIo, { restored, alive, failures, where }: Restored): number {
  for (const { holder, ref } of alive) {
    io.stdout(
      `Left alone: "${ref.namespace}/${ref.name}" of ${oneLine(holder || "somebody")}, who gives signs of life\n`,
    );
  }
  const [first, ...others] = failures;
  for (const { message } of others) io.stderr(`localizer: ${oneLine(message)}\n`);
  if (restored > 0) io.stdout(`Restored ${restored} ${restored === 1 ? "exposure" : "exposures"} in ${where}\n`);
  else if (first === undefined) io.stdout(`Nothing to restore in ${where}\n`);
  if (first !== undefined) throw first;
  return 0;
}

/** @throws LocalizerError `usage` when it would be a burden to the API server, or a single Service is named with it */
function everyOf(flags: FlagValues, scope: RestoreRequest["scope"]): number | undefined {
  const text = one(flags, "every");
  if (text === undefined) return undefined;
  const ms = parseDuration(text, "every");
  if (ms < minEveryMs) {
    throw new LocalizerError("usage", `Cannot use "${text}" for --every: want ${minEveryMs / 1_000} s or more`);
  }
  if (scope === "context" || !("service" in scope || scope.key !== undefined)) return ms;
  throw new LocalizerError("usage", "Cannot look at one service --every so often: name its namespace, or --all");
}

/** @throws LocalizerError `usage` when the words do not go together, or are no names */
function scopeOf(flags: FlagValues, operands: readonly string[]): RestoreRequest["scope"] {
  const namespaces = namespacesOf(flags, "namespace");
  const all = isOn(flags, "all");
  const [word] = operands;
  if (all && (namespaces.length > 0 || word !== undefined)) {
    throw new LocalizerError("usage", "Cannot restore --all and a namespace or service: choose one of them");
  }
  if (all) return {};
  if (word === undefined) return namespaces.length === 0 ? "context" : { namespaces: [...new Set(namespaces)] };
  const { namespace: typed, name } = parseTarget(word, "restore");
  const [namespace, ...more] = typed === undefined ? namespaces : [typed];
  if (more.length > 0) throw new LocalizerError("usage", `Cannot restore "${word}": want one --namespace with it`);
  if (namespace === undefined) return { service: name };
  return { namespaces: [namespace], key: serviceKey(namespace, name) };
}

async function loadRestorer(): Promise<Restorer> {
  return (await import("../../daemon/restore.ts")).restorer;
}
