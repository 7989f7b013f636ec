/** Exposures in words: lines of progress, what leads where, and the table of `list`. Pure. */
import type { ExposeLine } from "../rpc/exposing.ts";
import type { ListedExposure, ListedExposurePort } from "../rpc/listed-exposure.ts";
import { ageText, bytesText } from "./stats-table.ts";
import { formatTable, oneLine } from "./table.ts";

/** One line of progress, with its line end. */
export function lineText({ level, message }: Pick<ExposeLine, "level" | "message">): string {
  const mark = { info: "", warn: "Warning: ", error: "Error: " }[level];
  return `${mark}${oneLine(message)}\n`;
}

/** `Service "shop/cart" leads to this machine: port 80 (http) to localhost:8080`. */
export function leadsSentence({ namespace, service, ports }: ListedExposure): string {
  const ways = ports.map(({ local, remote, name }) => {
    return `port ${remote}${name === "" ? "" : ` (${name})`} to localhost:${local}`;
  });
  return `Service "${namespace}/${service}" leads to this machine: ${ways.join(", ")}`;
}

/** What the row of its service says: "exposed to port 8080". */
export function exposedNote({ state, ports }: ListedExposure): string {
  const locals = [...new Set(ports.map(({ local }) => local))];
  const where = locals.length === 0 ? "" : ` to port${locals.length === 1 ? "" : "s"} ${locals.join(", ")}`;
  return state === "exposed" ? `exposed${where}` : `exposed${where} (${state})`;
}

const columns = ["NAMESPACE", "EXPOSED", "STATE", "PORTS", "OWNERS", "AGE", "IN", "OUT"] as const;

/** A line each, under a header. IN and OUT are bytes from the cluster to the local process, and back. */
export function exposuresTable(exposures: readonly ListedExposure[], nowMs: number): string {
  const rows = exposures.map((exposure) => [...cellsOf(exposure, nowMs), noteOf(exposure)]);
  return formatTable([...columns, "NOTE"], rows);
}

/** The same, with the pod, the holder, and a line for each port's connections. */
export function wideExposuresTable(exposures: readonly ListedExposure[], nowMs: number): string {
  const rows = exposures.flatMap((exposure) => [
    [...cellsOf(exposure, nowMs), "", "", "", exposure.pod, exposure.holder, exposure.reason],
    ...exposure.ports.map(portCells),
  ]);
  return formatTable([...columns, "OPEN", "TOTAL", "REFUSED", "POD", "HOLDER", "NOTE"], rows);
}

function cellsOf(exposure: ListedExposure, nowMs: number): readonly string[] {
  const { namespace, service, state, ports, owners, since } = exposure;
  const sum = (of: (port: ListedExposurePort) => number) => ports.reduce((total, port) => total + of(port), 0);
  return [
    ...[namespace, service, `${state.charAt(0).toUpperCase()}${state.slice(1)}`],
    ports.map(portText).join(","),
    owners.map(({ kind, name, replicas }) => `${kind} ${name} ${replicas}→0`).join(", ") || "None",
    ageText(nowMs - since),
    ...[bytesText(sum(({ bytesIn }) => bytesIn)), bytesText(sum(({ bytesOut }) => bytesOut))],
  ];
}

function portCells(port: ListedExposurePort): readonly string[] {
  const { name, connections, connectionsTotal, bytesIn, bytesOut, refused, lastError } = port;
  const counts = [connections, connectionsTotal, refused].map(String);
  return [
    ...["", `  ${name}`, "", portText(port), "", "", bytesText(bytesIn), bytesText(bytesOut)],
    ...[...counts, "", "", lastError],
  ];
}

function portText({ local, remote }: ListedExposurePort): string {
  return `${local}←${remote}`;
}

/** Why the state is what it is, and what is wrong on this side. */
function noteOf({ reason, ports }: ListedExposure): string {
  const texts = [reason, ...ports.map(({ lastError }) => lastError)].filter((text) => text !== "");
  return [...new Set(texts)].join("; ");
}
