/**
 * Whether the other side's TCP still acknowledges what a socket of ours sends, from the kernel's table (Linux, /proc/net/tcp;
 * net/ipv4/tcp_ipv4.c, get_tcp4_sock). Tells a peer that is slow from one that is out of reach. Used by the daemon, for
 * connections to pods that have gone silent.
 */
import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";

/** A socket's two ends. */
export interface TcpEnds {
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/**
 * `acked`: what was sent was acknowledged, or is young. `unacked`: it was repeated, without an answer so far. `closed-window`:
 * the other side has told us to wait, and was not asked since; that may be two minutes ago. `unknown`: not to be seen from here.
 */
export type Delivery = "acked" | "unacked" | "closed-window" | "unknown";

/** Says it of a socket. Never rejects. */
export type DeliveryOf = (ends: TcpEnds) => Promise<Delivery>;

/** The timer that runs is one that asks whether a closed window has opened. */
const windowProbe = "04";

/** Makes the one who knows; on other systems it knows nothing. One read serves all who ask meanwhile. */
export function tcpDelivery({
  platform = process.platform,
  read = readFile,
}: {
  readonly platform?: NodeJS.Platform;
  readonly read?: (path: string) => Promise<Buffer>;
} = {}): DeliveryOf {
  if (platform !== "linux") return async () => "unknown";
  const running = new Map<string, Promise<Buffer>>();
  const table = (name: string) => {
    const now = running.get(name) ?? read(`/proc/self/net/${name}`).finally(() => running.delete(name));
    running.set(name, now);
    return now;
  };
  return async (ends) => {
    try {
      const found = deliveryIn(await table("tcp"), ends);
      // An IPv4 connection of ours may stand in either table.
      return found === "unknown" ? deliveryIn(await table("tcp6"), ends) : found;
    } catch {
      return "unknown";
    }
  };
}

/** What the table says of the socket. Pure. */
export function deliveryIn(table: Buffer, { localAddress, localPort, remoteAddress, remotePort }: TcpEnds): Delivery {
  if (localAddress === undefined || remoteAddress === undefined) return "unknown";
  const here = ends(localAddress, localPort);
  const there = ends(remoteAddress, remotePort);
  for (const [index, local] of here.entries()) {
    const words = ` ${local} ${there[index]} `;
    const at = table.indexOf(words, 0, "latin1");
    if (at < 0) continue;
    const start = at + words.length;
    const end = table.indexOf("\n", start);
    return judged(table.toString("latin1", start, end < 0 ? table.length : end).split(/ +/));
  }
  return "unknown";
}

/** The words behind the addresses: state, queues, timer, retransmits, uid, probes without an answer. */
function judged([, queues = "", timer = "", retransmits = "", , probes = ""]: readonly string[]): Delivery {
  // Both counts begin anew with every acknowledgement (net/ipv4/tcp_input.c, tcp_ack).
  if (Number.parseInt(retransmits, 16) > 0) return "unacked";
  if (Number.parseInt(queues, 16) === 0) return "acked";
  if (!timer.startsWith(windowProbe)) return "acked";
  return Number(probes) > 0 ? "unacked" : "closed-window";
}

/** As the table writes it, as IPv4 and as IPv6. */
function ends(address: string, port: number | undefined): readonly string[] {
  const suffix = `:${(port ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
  const bytes = isIPv6(address) ? bytesOfIPv6(address) : address.split(".").map(Number);
  const whole = bytes.length === 4 ? [...Array<number>(10).fill(0), 255, 255, ...bytes] : bytes;
  return [whole.slice(12), whole].map((part) => wordsOf(part) + suffix);
}

function bytesOfIPv6(address: string): readonly number[] {
  const [mapped] = /\d+\.\d+\.\d+\.\d+$/.exec(address) ?? [];
  if (mapped !== undefined) return mapped.split(".").map(Number);
  const [head = "", tail] = (address.split("%")[0] ?? "").split("::");
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  return [...before, ...Array<number>(16 - before.length - after.length).fill(0), ...after];
}

function groups(text: string): readonly number[] {
  return text === ""
    ? []
    : text.split(":").flatMap((group) => {
        const value = Number.parseInt(group, 16);
        return [value >> 8, value & 0xff];
      });
}

/** Words of 32 bits in this machine's byte order. */
function wordsOf(bytes: readonly number[]): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.slice(at, at + 4);
    text += Buffer.from(isLittleEndian ? word.reverse() : word)
      .toString("hex")
      .toUpperCase();
  }
  return text;
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
