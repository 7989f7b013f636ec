/** `localizer stats`: what was counted of every port that has had connections, once or for as long as one looks. */
import { LocalizerError } from "../../errors.ts";
import { type DaemonClient, minIntervalMs } from "../../rpc/client.ts";
import type { Stats, StatsChange } from "../../rpc/stats.ts";
import { byName } from "../by-name.ts";
import type { Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";
import { namespacesOf } from "../daemon-settings.ts";
import { parseDuration } from "../duration.ts";
import { isOn, one } from "../flag-values.ts";
import type { CliIo } from "../io.ts";
import { clusterLine } from "../list-formats.ts";
import { statsTable } from "../stats-table.ts";

/** The forms of an answer, and of a change under --watch. */
interface StatsFormat {
  readonly all: (stats: Stats, nowMs: number) => string;
  readonly change: (change: StatsChange, nowMs: number) => string;
}

const formats: Readonly<Record<string, StatsFormat>> = {
  table: { all: tableOf, change: changedTable },
  json: {
    all: (stats) => `${JSON.stringify(stats, undefined, 2)}\n`,
    change: (change) => `${JSON.stringify(change)}\n`,
  },
};

/** With --watch it ends with Ctrl-C or with the daemon. */
export const stats: Command = {
  name: "stats",
  operands: "",
  maxOperands: 0,
  summary: "show connections, bytes, waiting times and failures of every port that was used",
  details:
    "UP and DOWN are bytes from applications to pods and back, those of open connections too. P50 and P99: half of the connections that the pod answered, and 99 of 100, had its first byte within. SLOW: connections that are held up because an application or a pod reads too slowly; BUFFERED: what waits for them in the daemon. POOL: connections through the API server to the pods, which all ports of a Service share; RTT: a ping to the pod's container runtime and back.\nWith --namespace, or $LOCALIZER_NAMESPACE, only Services of those namespaces are shown. With --watch what has changed is printed again, as a table or as a line of JSON.",
  flags: {
    output: {
      type: "string",
      short: "o",
      value: "FORMAT",
      text: "table or json; default table",
      choices: Object.keys(formats),
      // $LOCALIZER_OUTPUT may have a word of `list` that means nothing here.
      env: false,
    },
    watch: { type: "boolean", short: "w", text: "go on until interrupted", env: false },
    interval: { type: "string", value: "TIME", text: "with --watch, how often at most; default 1s, at least 100ms" },
  },
  async run({ io, flags }) {
    const format = formatOf(one(flags, "output") ?? "table");
    const intervalMs = intervalOf(one(flags, "interval") ?? "1s");
    const wanted = new Set(namespacesOf(flags, "namespace"));
    const isWanted = ({ namespace }: { readonly namespace: string }) => wanted.size === 0 || wanted.has(namespace);
    const { client } = await daemonClient(flags, io);
    await using _client = client;
    if (isOn(flags, "watch")) return await watch(client, { io, intervalMs, format, isWanted });
    const found = await client.stats();
    const services = found.services.filter(isWanted).toSorted(byName);
    io.stdout(format.all({ ...found, services }, io.clock.now()));
    return 0;
  },
};

async function watch(
  client: DaemonClient,
  how: {
    readonly io: CliIo;
    readonly intervalMs: number;
    readonly format: StatsFormat;
    readonly isWanted: (service: { readonly namespace: string }) => boolean;
  },
): Promise<number> {
  const { io, intervalMs, format, isWanted } = how;
  const stop = new AbortController();
  using _listening = io.onStop(() => stop.abort());
  try {
    for await (const { services, removed } of client.watchStats({ intervalMs, signal: stop.signal })) {
      const change = { services: services.filter(isWanted).toSorted(byName), removed: removed.filter(isWanted) };
      const isEmpty = change.services.length === 0 && change.removed.length === 0;
      if (!isEmpty) io.stdout(format.change(change, io.clock.now()));
    }
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  }
  return 0;
}

function tableOf({ cluster, services }: Stats, nowMs: number): string {
  const head = cluster === undefined ? "" : `${clusterLine(cluster)}\n`;
  return `${head}${services.length === 0 ? "No connection was made yet\n" : statsTable(services, nowMs)}`;
}

function changedTable({ services, removed }: StatsChange, nowMs: number): string {
  const gone = removed.map(({ namespace, name }) => `${namespace}/${name} is no more\n`).join("");
  return `${gone}${services.length === 0 ? "" : statsTable(services, nowMs)}`;
}

/** @throws LocalizerError `usage` for what is no time, or too short */
function intervalOf(text: string): number {
  const intervalMs = parseDuration(text, "interval");
  if (intervalMs >= minIntervalMs) return intervalMs;
  throw new LocalizerError("usage", `Cannot use "${text}" for --interval: want at least ${minIntervalMs}ms`);
}

/** @throws LocalizerError `usage` for a word that names no format */
function formatOf(name: string): StatsFormat {
  const format = Object.hasOwn(formats, name) ? formats[name] : undefined;
  if (format !== undefined) return format;
  throw new LocalizerError("usage", `Cannot print as "${name}": want ${Object.keys(formats).join(" or ")}`);
}
