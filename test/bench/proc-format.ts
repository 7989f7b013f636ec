/** Reads the texts of /proc (proc(5)). Pure; `process-usage.ts` fetches them. */

/** Clock ticks a second in /proc/PID/stat: USER_HZ, 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** What is needed of /proc/PID/stat. */
export interface ProcessStat {
  readonly parent: number;
  /** User and system time of the process itself, ended children not counted. */
  readonly cpuSeconds: number;
}

/** A TCP connection's far end and the inode of its socket. */
export interface TcpEntry {
  readonly remote: string;
  readonly inode: string;
}

/** Undefined for a text that is none. */
export function parseStat(text: string): ProcessStat | undefined {
  // The command's name stands in brackets and may hold anything; what follows begins with field 3.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [parent, user, system] = [1, 11, 12].map((index) => Number(fields[index]));
  if (parent === undefined || user === undefined || system === undefined) return undefined;
  const cpuSeconds = (user + system) / ticksPerSecond;
  return Number.isNaN(parent + cpuSeconds) ? undefined : { parent, cpuSeconds };
}

/** The number behind `name:` in a file of such lines (smaps_rollup, io); 0 when it is not there. */
export function numberOf(text: string, name: string): number {
  const line = text.split("\n").find((candidate) => candidate.startsWith(`${name}:`)) ?? "";
  return Number(/\d+/.exec(line.slice(name.length))?.[0] ?? 0);
}

/** Connections of a /proc/PID/net/tcp that are up, with the far end as `198.18.0.2:6443`. */
export function parseTcp(text: string): readonly TcpEntry[] {
  const established = "01";
  return entriesIn(established, text).map((fields) => ({
    remote: parseAddress(fields[2] ?? ""),
    inode: fields[9] ?? "",
  }));
}

/** Where somebody listens, by the same text: `127.77.0.5:80`. */
export function parseListeners(text: string): readonly string[] {
  const listening = "0A";
  return entriesIn(listening, text).map((fields) => parseAddress(fields[1] ?? ""));
}

function entriesIn(state: string, text: string): readonly (readonly string[])[] {
  const lines = text.split("\n").slice(1);
  return lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[3] === state);
}

/** Addresses are in the byte order of the machine: little-endian on all that matter here. */
function parseAddress(text: string): string {
  const [address = "", port = ""] = text.split(":");
  const octets = (address.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).reverse();
  return `${octets.join(".")}:${Number.parseInt(port, 16)}`;
}
