/** `localizer restore`: puts back what exposures have left whose daemons are gone, from any machine. */
import type { RestoreRequest, RunRestore } from "../../daemon/restore.ts";
import { LocalizerError } from "../../errors.ts";
import { isDnsLabel } from "../../model/host-name.ts";
import { serviceKey } from "../../model/service-key.ts";
import type { Command } from "../command.ts";
import { daemonSettings } from "../daemon-settings.ts";
import { parseDuration } from "../duration.ts";
import { type FlagValues, isOn, many, one } from "../flag-values.ts";
import type { CliIo } from "../io.ts";
import { oneLine } from "../table.ts";

/** How long a workload may take to become ready before the forgotten pod goes; `--no-wait`: not at all. */
const readyMs = 300_000;

/** Exits with 0 also when there was nothing to restore, with the code of the first failure else. */
export const restore: Command = restoreCommand();

/** The command; `load` gives what restores, by default from the daemon's room. */
export function restoreCommand(load: () => Promise<RunRestore> = loadRestore): Command {
  return {
    name: "restore",
    operands: "[[NAMESPACE/]SERVICE]",
    maxOperands: 1,
    summary: "put back what forgotten exposures have changed in the cluster",
    details:
      "Looks in the context's namespace unless told otherwise. An exposure counts as forgotten when it gives no sign of life for as long as it has promised one (60 s, if its owner has not chosen otherwise), which is watched; a living one is never touched, whoever it belongs to. Needs no daemon.",
    flags: {
      all: { type: "boolean", text: "look in all namespaces" },
      "no-wait": { type: "boolean", text: "do not wait until a workload is ready before the forgotten pod goes" },
      grace: { type: "string", value: "DURATION", text: "so much longer it may be silent; default 0s" },
      every: { type: "string", value: "DURATION", text: "look again and again, until stopped" },
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
      const every = one(flags, "every");
      const run = await load();
      if (every === undefined) return await once(io, run(options, request, stop.signal));
      const everyMs = parseDuration(every, "every");
      while (!stop.signal.aborted) {
        await once(io, run(options, request, stop.signal)).catch((thrown: unknown) => {
          const { code, message } = LocalizerError.from(thrown);
          if (code !== "aborted") io.stderr(`localizer: ${oneLine(message)}\n`);
        });
        await io.clock.sleep(everyMs, stop.signal).catch(() => {});
      }
      return 0;
    },
  };
}

/** Says what came of it. @throws LocalizerError the first failure */
async function once(io: CliIo, running: ReturnType<RunRestore>): Promise<number> {
  const { restored, alive, failures, where } = await running;
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

/** @throws LocalizerError `usage` when the words do not go together, or are no names */
function scopeOf(flags: FlagValues, operands: readonly string[]): RestoreRequest["scope"] {
  const [namespace, ...more] = many(flags, "namespace");
  if (more.length > 0) throw new LocalizerError("usage", "Cannot restore several namespaces at once: use --all");
  const all = isOn(flags, "all");
  const [word] = operands;
  if (all && (namespace !== undefined || word !== undefined)) {
    throw new LocalizerError("usage", "Cannot restore --all and a namespace or service: choose one of them");
  }
  if (all) return {};
  if (word === undefined) return namespace === undefined ? "context" : { namespace };
  const parts = word.split("/");
  if (parts.length > 2 || !parts.every(isDnsLabel)) {
    throw new LocalizerError("usage", `Cannot restore "${word}": want NAMESPACE/SERVICE, or SERVICE with --namespace`);
  }
  const [first = "", second] = parts;
  const place = second === undefined ? namespace : first;
  if (place === undefined) {
    throw new LocalizerError("usage", `Cannot restore "${word}": want NAMESPACE/SERVICE, or --namespace with it`);
  }
  return { namespace: place, key: serviceKey(place, second ?? first) };
}

async function loadRestore(): Promise<RunRestore> {
  return (await import("../../daemon/restore.ts")).runRestore;
}
