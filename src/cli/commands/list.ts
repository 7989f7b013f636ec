/** `localizer list`: every Service and how it stands, as a table or as JSON. */
import { LocalizerError } from "../../errors.ts";
import type { ListedService } from "../../rpc/client.ts";
import type { Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";
import { many, one } from "../flag-values.ts";
import { formatTable } from "../table.ts";

/** The columns are those of the original. */
export const list: Command = {
  name: "list",
  operands: "",
  maxOperands: 0,
  summary: "show every Service, its address and how it stands",
  details: "With --namespace only Services of that namespace are shown.",
  flags: { output: { type: "string", short: "o", value: "FORMAT", text: "table or json; default table" } },
  async run({ io, flags }) {
    const format = formatOf(one(flags, "output") ?? "table");
    const { client } = await daemonClient(flags, io);
    await using _client = client;
    const wanted = new Set(many(flags, "namespace"));
    const services = (await client.list()).filter(({ namespace }) => wanted.size === 0 || wanted.has(namespace));
    io.stdout(format(services.toSorted(byName)));
    return 0;
  },
};

type Format = (services: readonly ListedService[]) => string;

function formatOf(name: string): Format {
  switch (name) {
    case "table":
      return asTable;
    case "json":
      return asJson;
    default:
      throw new LocalizerError("usage", `Cannot print as "${name}": want table or json`);
  }
}

/** The table that is printed; says so when there is nothing to show. */
function asTable(services: readonly ListedService[]): string {
  if (services.length === 0) return "There are no Services to show\n";
  return formatTable(
    ["NAMESPACE", "NAME", "STATUS", "REASON", "ENDPOINT", "IP ADDRESS", "PORT(S)"],
    services.map(({ namespace, name, status, statusReason, endpoint, ip, ports }) => [
      namespace,
      name,
      status.charAt(0).toUpperCase() + status.slice(1),
      statusReason,
      endpoint,
      ip || "None",
      ports.join(","),
    ]),
  );
}

/** An object with `services`, so that more can stand beside them later. Field names are those of the wire's JSON. */
function asJson(services: readonly ListedService[]): string {
  const plain = services.map(({ namespace, name, status, statusReason, endpoint, ip, ports }) => {
    return { namespace, name, status, statusReason, endpoint, ip, ports };
  });
  return `${JSON.stringify({ services: plain }, undefined, 2)}\n`;
}

/** By bytes, not by the reader's language: the same on every machine. */
function byName(a: ListedService, b: ListedService): number {
  return compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
