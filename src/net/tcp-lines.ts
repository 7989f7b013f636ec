/**
 * The lines of the kernel's table of TCP sockets (/proc/net/tcp, /proc/net/tcp6; net/ipv4/tcp_ipv4.c `get_tcp4_sock`) that
 * somebody asks about. Pure. One pass, whatever the table's length: it may have tens of thousands of lines. Used by tcp-table.
 */

/** What a line says of a socket: its state, as the table writes it, and its inode, "0" when no process holds it. */
export interface TcpLine {
  readonly state: string;
  readonly inode: string;
}

/** By both addresses, `LOCAL REMOTE` as the table writes IPv4 ones: `0302017F:0050 0100007F:9C40`. */
export type TcpLines = ReadonlyMap<string, TcpLine>;

/** IPv4 in IPv6: the same digits behind a prefix. */
const mapped = "0000000000000000FFFF0000";

const newline = 0x0a;
const colon = 0x3a;

/** The lines of sockets that have one of these ports at either end; of IPv6 those that are IPv4 in truth. */
export function tcpLines(table: Buffer, ports: ReadonlySet<number>): TcpLines {
  const lines = new Map<string, TcpLine>();
  const first = lineEnd(table, 0);
  // Lines of IPv4 are all as long as the first.
  const stride = first + 1;
  for (let start = stride; start < table.length; ) {
    const guess = start + stride - 1;
    const end = table[guess] === newline && first > 0 ? guess : lineEnd(table, start);
    const at = table.indexOf(colon, start) + 2;
    const digits = table[at + 8] === colon ? 8 : 32;
    const remoteAt = at + digits + 6;
    if (at > 1 && remoteAt + digits + 5 <= end) {
      const isAsked = ports.has(hexPort(table, at + digits + 1)) || ports.has(hexPort(table, remoteAt + digits + 1));
      if (isAsked) add(lines, table.toString("latin1", at, end), digits);
    }
    start = end + 1;
  }
  return lines;
}

function lineEnd(table: Buffer, start: number): number {
  const end = table.indexOf(newline, start);
  return end < 0 ? table.length : end;
}

/** The number that four hexadecimal digits write. */
function hexPort(table: Buffer, at: number): number {
  let port = 0;
  for (let index = at; index < at + 4; index++) {
    const digit = table[index] ?? 0;
    port = port * 16 + (digit <= 0x39 ? digit - 0x30 : digit - 0x37);
  }
  return port;
}

function add(lines: Map<string, TcpLine>, text: string, digits: number): void {
  const [local = "", remote = "", state = "", , , , , , inode = ""] = text.split(/ +/);
  if (digits === 8) lines.set(`${local} ${remote}`, { state, inode });
  else if (local.startsWith(mapped) && remote.startsWith(mapped)) {
    lines.set(`${local.slice(mapped.length)} ${remote.slice(mapped.length)}`, { state, inode });
  }
}
