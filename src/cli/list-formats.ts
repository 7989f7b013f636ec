/** The forms in which `list` prints: tables for people, JSON for programs, lines for a hosts file. Pure. */
import { isHostName } from "../model/host-name.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import type { ClusterInfo, ListedPod, ListedPort, ListedService, ServiceList } from "../rpc/listed.ts";
import { exposedNote, exposuresTable, wideExposuresTable } from "./exposure-text.ts";
import { formatTable, oneLine } from "./table.ts";

/** Prints a list whose services are sorted, at this time (ms since the Unix epoch). */
export type ListFormat = (list: ServiceList, nowMs: number) => string;

/** By the word that --output takes. */
export const listFormats: Readonly<Record<string, ListFormat>> = {
  table: asTable,
  wide: asWideTable,
  json: asJson,
  hosts: asHosts,
};

/** `Context "dev", cluster "dev" at https://10.0.0.1:6443/, namespaces a, b only`. */
export function clusterLine({ context, cluster, server, namespaces }: ClusterInfo): string {
  const noun = namespaces.length === 1 ? "namespace" : "namespaces";
  const only = namespaces.length === 0 ? "" : `, ${noun} ${namespaces.join(", ")} only`;
  return oneLine(`Context "${context}", cluster "${cluster}" at ${server}${only}`);
}

const columns = ["NAMESPACE", "NAME", "STATUS", "REASON", "ENDPOINT", "IP ADDRESS", "PORT(S)"] as const;

/** Of a reason in the table. */
const reasonLength = 60;

/** The columns are those of the original. */
function asTable(list: ServiceList, nowMs: number): string {
  const notes = notesOf(list);
  const table = () =>
    formatTable(
      columns,
      list.services.map((service) => shortCellsOf(service, notes)),
    );
  return withHead(list, table) + withExposures(list, () => exposuresTable(list.exposures, nowMs));
}

/** Below each service its ports, and, if it is headless, its pods. */
function asWideTable(list: ServiceList, nowMs: number): string {
  const notes = notesOf(list);
  const engine = list.cluster?.portForwardEngine ?? "";
  const more = engine === "" ? "" : oneLine(`, port-forwards by ${engine}`);
  const rows = list.services.flatMap((service) => [
    [...cellsOf(service, notedReason(service.statusReason, service, notes)), "", "", service.names.join(",")],
    ...service.portRows.map((port) => portCells(port, "  ")),
    ...service.pods.flatMap(podRows),
  ]);
  const table = () => formatTable([...columns, "READY", "CONNECTIONS", "NAMES"], rows);
  return withHead(list, table, more) + withExposures(list, () => wideExposuresTable(list.exposures, nowMs));
}

/** Everything; field names are those of the wire's JSON. */
function asJson({ cluster, notices, services, leftOut, selector, exposures }: ServiceList): string {
  return `${JSON.stringify({ cluster, notices, services, leftOut, selector, exposures }, undefined, 2)}\n`;
}

/** For life without root: what the helper would write. Only what may stand in a hosts file, whoever sent it. */
function asHosts({ services }: ServiceList): string {
  const entries = services.flatMap((service) => [service, ...service.pods]);
  return entries
    .map(({ ip, names }) => ({ ip, names: names.filter(isHostName) }))
    .filter(({ ip, names }) => isLoopbackAddress(ip) && names.length > 0)
    .map(({ ip, names }) => `${ip} ${names.join(" ")}\n`)
    .join("");
}

/** Which cluster it is, `more` of it, and what is amiss stand before everything else. */
function withHead({ cluster, notices, services }: ServiceList, table: () => string, more = ""): string {
  const head = [...(cluster === undefined ? [] : [`${clusterLine(cluster)}${more}`]), ...notices.map(oneLine)];
  const body = services.length === 0 ? "There are no Services to show\n" : table();
  return `${head.map((line) => `${line}\n`).join("")}${body}`;
}

/** A line that a terminal can show; `wide` and `json` have all of it. */
function shortCellsOf(service: ListedService, notes: ReadonlyMap<string, string>): readonly string[] {
  return cellsOf(service, notedReason(shortReason(service.statusReason), service, notes));
}

/** Below the services, after an empty line; nothing when none is exposed. */
function withExposures({ exposures }: ServiceList, table: () => string): string {
  return exposures.length === 0 ? "" : `\n${table()}`;
}

/** What is said of exposed services in their own rows, by key. */
function notesOf({ exposures }: ServiceList): ReadonlyMap<string, string> {
  return new Map(exposures.map((exposure) => [`${exposure.namespace}/${exposure.service}`, exposedNote(exposure)]));
}

function notedReason(reason: string, { namespace, name }: ListedService, notes: ReadonlyMap<string, string>): string {
  return [reason, notes.get(`${namespace}/${name}`) ?? ""].filter((text) => text !== "").join("; ");
}

/** The first clause, and of that what fits; an ellipsis stands for the rest. Pure. */
export function shortReason(reason: string): string {
  const [first = ""] = reason.split("; ", 1);
  if (first === reason && reason.length <= reasonLength) return reason;
  return `${first.slice(0, reasonLength - 2).trimEnd()} …`;
}

function cellsOf(service: ListedService, reason: string): readonly string[] {
  const { namespace, name, status, endpoint, ip, ports } = service;
  return [namespace, name, capitalised(status), reason, endpoint, ip || "None", ports.join(",")];
}

function portCells(port: ListedPort, indent: string): readonly string[] {
  const failure = port.lastError === "" ? "" : `last failure: ${port.lastError}`;
  const reason = [port.reason, failure].filter((text) => text !== "").join("; ");
  const counts = [String(port.readyPods), String(port.connections)];
  return ["", `${indent}${port.port}/TCP`, capitalised(port.status), reason, "", port.listen, "", ...counts];
}

function podRows({ hostname, ip, names, ports }: ListedPod): readonly (readonly string[])[] {
  const own = ["", `  ${hostname}`, "", "", hostname, ip, ports.map(({ port }) => `${port}/TCP`).join(",")];
  return [[...own, "", "", names.join(",")], ...ports.map((port) => portCells(port, "    "))];
}

function capitalised(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
