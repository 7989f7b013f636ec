/**
 * Whether the application at the other end of a local connection has closed it, read from the kernel's table of TCP sockets
 * (Linux, /proc/net/tcp). One read serves all who ask, and reading takes at most a twentieth of the time, for the kernel
 * walks through a table of a quarter of a million slots for it.
 */
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { PeerEnd, PeerEndOf } from "./local-end.ts";

/**
 * Between two reads: multiples of what the last one took, within bounds. On a busy machine a read takes long because it
 * waits, not because it costs.
 */
const pause = { leastMs: 10, readings: 20, mostMs: 1_000 };

/** What it takes; tests have a /proc of their own. */
export interface TcpTableOptions {
  readonly clock: Clock;
  readonly platform?: NodeJS.Platform;
  readonly read?: (path: string) => Promise<Buffer>;
}

/** One look: the table of IPv4 sockets, and that of IPv6 ones if somebody needs it. */
interface Look {
  readonly first: Buffer;
  readonly second: () => Promise<Buffer>;
}

/** An application that has ended its side and holds the socket still is in one of these (include/net/tcp_states.h). */
const finWaits: ReadonlySet<string> = new Set(["04", "05"]);

/** Makes the one who knows; on other systems it knows nothing. */
export function peerEnds({ clock, platform = process.platform, read = readFile }: TcpTableOptions): PeerEndOf {
  if (platform !== "linux") return async () => "unknown";
  let next: Promise<Look> | undefined;
  let reading: Promise<unknown> = Promise.resolve();
  let freeAtMs = 0;

  const timed = async (path: string): Promise<Buffer> => {
    const startedMs = clock.monotonic();
    try {
      return await read(path);
    } finally {
      const now = clock.monotonic();
      const restMs = Math.min(Math.max(pause.leastMs, pause.readings * (now - startedMs)), pause.mostMs);
      freeAtMs = Math.max(freeAtMs, now) + restMs;
    }
  };
  const look = async (): Promise<Look> => {
    // One at a time, or those who ask during a read would each begin one.
    await reading;
    const waitMs = freeAtMs - clock.monotonic();
    await (waitMs > 0 ? new Promise<void>((resolve) => clock.after(waitMs, resolve)) : undefined);
    // Who asks from here on needs the next read: this one may be past his socket already.
    next = undefined;
    let second: Promise<Buffer> | undefined;
    const table = timed("/proc/self/net/tcp");
    reading = table.catch(() => {});
    const first = await table;
    return {
      first,
      second: () => {
        second ??= timed("/proc/self/net/tcp6");
        return second;
      },
    };
  };

  return async (socket) => {
    next ??= look();
    try {
      const { first, second } = await next;
      // Most are here; an application that speaks IPv4 through an IPv6 socket, as Java does, stands in the other table.
      return peerEndIn([first], socket) ?? peerEndIn([first, await second()], socket) ?? "unknown";
    } catch {
      return "unknown";
    }
  };
}

/** What the tables say of the socket's peer; undefined when it stands in none of them. Pure. */
export function peerEndIn(
  tables: readonly Buffer[],
  socket: Pick<Socket, "localAddress" | "localPort" | "remoteAddress" | "remotePort">,
): PeerEnd | undefined {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (localAddress === undefined || remoteAddress === undefined) return "unknown";
  const here = hexAddress(localAddress, localPort);
  const there = hexAddress(remoteAddress, remotePort);
  if (here === undefined || there === undefined) return "unknown";
  for (const table of tables) {
    const line = lineOf(table, there, here);
    if (line === undefined) continue;
    const [state = "", , , , , , inode] = line;
    return inode !== "0" && finWaits.has(state) ? "half-closed" : "closed";
  }
  // Not there ourselves: the socket belongs to another network namespace, whose table this is not.
  return tables.some((table) => lineOf(table, here, there) !== undefined) ? undefined : "unknown";
}

/** The words behind the addresses of the line of a socket. */
function lineOf(table: Buffer, local: string, remote: string): readonly string[] | undefined {
  // IPv4 in IPv6: the same digits behind a prefix.
  for (const prefix of ["", mapped]) {
    const words = ` ${prefix}${local} ${prefix}${remote} `;
    const at = table.indexOf(words, 0, "latin1");
    if (at < 0) continue;
    const start = at + words.length;
    const end = table.indexOf("\n", start);
    return table.toString("latin1", start, end < 0 ? table.length : end).split(/ +/);
  }
  return undefined;
}

const mapped = "0000000000000000FFFF0000";

/** An IPv4 address and port as the table writes them: the address as a number of this machine's byte order. */
function hexAddress(address: string, port: number | undefined): string | undefined {
  const bytes = /^(?:::ffff:)?(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)?.slice(1).map(Number);
  if (bytes === undefined || port === undefined) return undefined;
  const ordered = isLittleEndian ? bytes.reverse() : bytes;
  return `${hex(ordered)}:${hex([port >> 8, port & 0xff])}`;
}

function hex(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString("hex").toUpperCase();
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
