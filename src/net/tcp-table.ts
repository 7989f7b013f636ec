/**
 * Whether the application at the other end of a local connection has closed it, read from the kernel's table of TCP sockets
 * (Linux, /proc/net/tcp). One read serves all who ask, and reading takes at most a fortieth of the time, for the kernel
 * walks through a table of a quarter of a million slots for it.
 */
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { IsReset, PeerEnd, PeerEndOf } from "./local-end.ts";
import { type TcpLines, tcpLines } from "./tcp-lines.ts";

/**
 * Between two reads: multiples of what the last one took, within bounds. On a busy machine a read takes long because it
 * waits, not because it costs. Nothing but the pod waits for the answer: a connection is used again before.
 */
const pause = { leastMs: 20, readings: 40, mostMs: 1_000 };

/** What it takes; tests have a /proc of their own. */
export interface TcpTableOptions {
  readonly clock: Clock;
  readonly platform?: NodeJS.Platform;
  readonly read?: (path: string) => Promise<Buffer>;
}

/** The ends of an accepted connection, as a Socket has them. */
type Ends = Pick<Socket, "localAddress" | "localPort" | "remoteAddress" | "remotePort">;

/** One look for all who ask at the same time. */
interface Look {
  /** The ports of those applications. */
  readonly ports: Set<number>;
  readonly lines: Promise<Lines>;
}

/** IPv4 sockets, and IPv6 ones if somebody needs them. */
interface Lines {
  readonly first: TcpLines;
  readonly second: () => Promise<TcpLines>;
}

const listening = "0A";

/** An application that has ended its side and holds the socket still is in one of these (include/net/tcp_states.h). */
const finWaits: ReadonlySet<string> = new Set(["04", "05"]);

/** What the kernel knows of local connections. */
export interface LocalEnds {
  readonly peerEnd: PeerEndOf;
  readonly isReset: IsReset;
}

/** Makes the one who knows; on other systems it knows nothing. */
export function localEnds({ clock, platform = process.platform, read = readFile }: TcpTableOptions): LocalEnds {
  if (platform !== "linux") return { peerEnd: async () => "unknown", isReset: async () => false };
  let next: Look | undefined;
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
  const linesFor = async (ports: ReadonlySet<number>): Promise<Lines> => {
    // One at a time, or those who ask during a read would each begin one.
    await reading;
    const waitMs = freeAtMs - clock.monotonic();
    await (waitMs > 0 ? new Promise<void>((resolve) => clock.after(waitMs, resolve)) : undefined);
    // Who asks from here on needs the next read: this one may be past his socket already.
    next = undefined;
    let second: Promise<TcpLines> | undefined;
    const table = timed("/proc/self/net/tcp");
    reading = table.catch(() => {});
    const first = tcpLines(await table, ports);
    return {
      first,
      second: () => {
        second ??= timed("/proc/self/net/tcp6").then((sockets) => tcpLines(sockets, ports));
        return second;
      },
    };
  };
  const look = (): Look => {
    const ports = new Set<number>();
    return { ports, lines: linesFor(ports) };
  };

  const peerEnd: PeerEndOf = async (socket) => {
    if (socket.remotePort === undefined) return "unknown";
    next ??= look();
    next.ports.add(socket.remotePort);
    try {
      const { first, second } = await next.lines;
      // Most are here; an application that speaks IPv4 through an IPv6 socket, as Java does, stands in the other table.
      return peerEndIn([first], socket) ?? peerEndIn([first, await second()], socket) ?? "unknown";
    } catch {
      return "unknown";
    }
  };
  const isReset: IsReset = async (socket) => {
    // The kernel names no peer of a socket that was reset. Where it was asked for one before, Node keeps the answer.
    if (socket.remotePort === undefined || socket.localPort === undefined) return !socket.destroyed;
    next ??= look();
    // For its own listener, which shows that the table is that of the socket.
    next.ports.add(socket.remotePort).add(socket.localPort);
    try {
      const { first } = await next.lines;
      return isResetIn(first, socket);
    } catch {
      return false;
    }
  };
  return { peerEnd, isReset };
}

/** Whether a socket that is open here stands in the table no more, though its listener does. Pure. */
export function isResetIn(table: TcpLines, { localAddress, localPort, remoteAddress, remotePort }: Ends): boolean {
  const here = hexAddress(localAddress ?? "", localPort);
  const there = hexAddress(remoteAddress ?? "", remotePort);
  if (here === undefined || there === undefined || table.has(`${here} ${there}`)) return false;
  return table.get(`${here} 00000000:0000`)?.state === listening;
}

/** What the tables say of the socket's peer; undefined when it stands in none of them. Pure. */
export function peerEndIn(tables: readonly TcpLines[], socket: Ends): PeerEnd | undefined {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (localAddress === undefined || remoteAddress === undefined) return "unknown";
  const here = hexAddress(localAddress, localPort);
  const there = hexAddress(remoteAddress, remotePort);
  if (here === undefined || there === undefined) return "unknown";
  for (const table of tables) {
    const peer = table.get(`${there} ${here}`);
    if (peer !== undefined) return peer.inode !== "0" && finWaits.has(peer.state) ? "half-closed" : "closed";
  }
  // Not there ourselves: the socket belongs to another network namespace, whose table this is not.
  return tables.some((table) => table.has(`${here} ${there}`)) ? undefined : "unknown";
}

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
