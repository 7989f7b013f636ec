/** Reads Linux's tables of TCP sockets, /proc/net/tcp and tcp6 (proc_pid_net(5)). Pure. */
import type { ListenAddress } from "./listen.ts";

/** A socket that listens. */
export interface ListeningSocket {
  /** Dotted when it takes IPv4 (an IPv4 address written as IPv6 too), "::" for all of both families, "::1" for the loopback of IPv6. */
  readonly address: string;
  readonly port: number;
  /** The user who made it. */
  readonly uid: number;
  readonly inode: string;
}

/** st of a socket that listens: TCP_LISTEN in the kernel's include/net/tcp_states.h. */
const listenState = "0A";

/** The sockets of a table that listen on all addresses, on one of IPv4, or on "::1". Lines that are no socket are passed over. */
export function listeningSockets(table: string): readonly ListeningSocket[] {
  const sockets: ListeningSocket[] = [];
  for (const line of table.split("\n")) {
    const [, local = "", , state, , , , uid = "", , inode = ""] = line.trim().split(/\s+/);
    const [, words, port] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local) ?? [];
    if (state !== listenState || words === undefined || port === undefined) continue;
    const address = addressOf(words);
    if (address === undefined || !/^\d+$/.test(uid) || !/^\d+$/.test(inode)) continue;
    sockets.push({ address, port: Number.parseInt(port, 16), uid: Number(uid), inode });
  }
  return sockets;
}

/** The socket that keeps others from listening there: the same address's, or else one of all addresses. */
export function socketInTheWay(sockets: readonly ListeningSocket[], at: ListenAddress): ListeningSocket | undefined {
  const ofPort = sockets.filter(({ port }) => port === at.port);
  for (const address of [at.address, "0.0.0.0", "::"]) {
    const socket = ofPort.find((one) => one.address === address);
    if (socket !== undefined) return socket;
  }
  return undefined;
}

/** The kernel prints each 32-bit word of the address as a number of the machine's own byte order. */
function addressOf(hex: string): string | undefined {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = new Uint8Array(Uint32Array.from(words, (word) => Number.parseInt(word, 16)).buffer);
  if (bytes.length === 4) return bytes.join(".");
  if (bytes.subarray(0, 15).every((byte) => byte === 0) && (bytes[15] ?? 0) < 2) return bytes[15] === 1 ? "::1" : "::";
  // ::ffff:a.b.c.d (RFC 4291 2.5.5.2): how Java, for one, listens on an IPv4 address.
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return isMapped ? bytes.subarray(12).join(".") : undefined;
}
