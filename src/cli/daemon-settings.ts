/** The daemon's settings: from the text of flags to checked values. Pure but for the logger's lines. */
import { homedir } from "node:os";
import { resolve } from "node:path";
import type { DaemonOptions } from "../daemon/daemon-options.ts";
import { LocalizerError } from "../errors.ts";
import { formatJson, formatText, isLogLevel, type LogEntry, Logger, type LogLevel, logLevels } from "../log.ts";
import { detachedVariable } from "../model/detached.ts";
import { type EngineName, engineNames, isEngineName } from "../model/engine-name.ts";
import { homeFolder } from "../model/home-folder.ts";
import { hostName, isDnsLabel } from "../model/host-name.ts";
import { parseServiceRange } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { defaultStateFolder } from "../model/state-folder.ts";
import { parseDuration } from "./duration.ts";
import { type FlagValues, isOn, many, one } from "./flag-values.ts";
import type { CliIo } from "./io.ts";
import { version } from "./version.ts";

/** The API counts a Lease in seconds, and a daemon may be busy for one. */
const minLeaseMs = 3_000;
/** Less than no pod becomes ready in. */
const minStartMs = 5_000;

/** @throws LocalizerError `usage` for the first value that cannot be used */
export function daemonSettings(flags: FlagValues, io: Pick<CliIo, "env" | "stderr">): DaemonOptions {
  return {
    kubeconfig: pathOf(flags, "kubeconfig"),
    context: one(flags, "context"),
    namespaces: namespacesOf(flags, "namespace"),
    skipNamespaces: namespacesOf(flags, "skip-namespace"),
    clusterDomain: hostName((one(flags, "cluster-domain") ?? "cluster.local").replace(/\.$/, "")),
    range: parseServiceRange(one(flags, "ip-cidr") ?? "127.0.0.0/8"),
    hostsFile: pathOf(flags, "hosts-file"),
    socket: pathOf(flags, "socket"),
    stateDir: pathOf(flags, "state-dir") ?? defaultStateFolder(io.env, homeFolder(io.env, homedir)),
    rootStateDir: pathOf(flags, "root-state-dir"),
    selector: one(flags, "selector"),
    shortNames: shortNamesOf(flags),
    allowSuffixes: namespacesOf(flags, "allow-suffix"),
    skipPorts: many(flags, "skip-port").map((text) => port(/^\d{1,5}$/.test(text) ? Number(text) : text)),
    engine: engineOf(flags),
    exposeImage: one(flags, "expose-image") || undefined,
    exposeLeaseMs: atLeast(minLeaseMs, flags, "expose-lease", "60s"),
    exposeStartMs: atLeast(minStartMs, flags, "expose-timeout", "3m"),
    allowRootExec: isOn(flags, "allow-root-exec"),
    helper: isOn(flags, "no-helper") ? "none" : "auto",
    env: io.env,
    log: new Logger(logSink(flags, io), { level: logLevelOf(flags) }),
    version: version(),
  };
}

/** @throws LocalizerError `usage` for a word that names no level */
function logLevelOf(flags: FlagValues): LogLevel {
  const text = one(flags, "log-level") ?? "info";
  const level = text.toLowerCase();
  if (!isLogLevel(level)) {
    throw new LocalizerError("usage", `Cannot use "${text}" as log level: want one of ${logLevels.join(", ")}`);
  }
  return level;
}

function logSink(flags: FlagValues, { env, stderr }: Pick<CliIo, "env" | "stderr">): (entry: LogEntry) => void {
  const text = one(flags, "log-format") ?? "text";
  switch (text.toLowerCase()) {
    case "text": {
      // A daemon that `up` has started writes into a file, for days.
      const isDated = env[detachedVariable] !== undefined;
      return (entry) => stderr(`${formatText(entry, { isDated })}\n`);
    }
    case "json":
      return (entry) => stderr(`${formatJson(entry)}\n`);
    default:
      throw new LocalizerError("usage", `Cannot use "${text}" as log format: want text or json`);
  }
}

/** Absolute, so that nothing that runs elsewhere (the helper, a plug-in) reads it differently. */
function pathOf(flags: FlagValues, name: string): string | undefined {
  const path = one(flags, name);
  return path === undefined ? undefined : resolve(path);
}

/** @throws LocalizerError `usage` for a word that names no engine */
function engineOf(flags: FlagValues): EngineName | undefined {
  const text = one(flags, "port-forward-engine") ?? "auto";
  const name = text.toLowerCase();
  if (name === "auto") return undefined;
  if (isEngineName(name)) return name;
  const choices = ["auto", ...engineNames].join(", ");
  throw new LocalizerError("usage", `Cannot use "${text}" for --port-forward-engine: want one of ${choices}`);
}

/** @throws LocalizerError `usage` for a time so short that it would only do harm */
function atLeast(minMs: number, flags: FlagValues, name: string, usual: string): number {
  const ms = parseDuration(one(flags, name) ?? usual, name);
  if (ms >= minMs) return ms;
  throw new LocalizerError("usage", `Cannot use ${ms / 1_000} s for --${name}: want ${minMs / 1_000} s or more`);
}

function shortNamesOf(flags: FlagValues): string | undefined {
  const text = one(flags, "short-names") || undefined;
  if (text !== undefined && !isDnsLabel(text)) {
    throw new LocalizerError("usage", `Cannot use "${text}" for --short-names: want the name of a namespace, or off`);
  }
  return text;
}

/** The namespaces that a flag names. @throws LocalizerError `usage` when one of them is no name of a namespace */
export function namespacesOf(flags: FlagValues, name: string): readonly string[] {
  const namespaces = many(flags, name);
  for (const namespace of namespaces) {
    if (!isDnsLabel(namespace)) {
      throw new LocalizerError("usage", `Cannot use "${namespace}" for --${name}: it is no name of a namespace`);
    }
  }
  return namespaces;
}
