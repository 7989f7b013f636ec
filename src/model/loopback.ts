/**
 * IPv4 loopback addresses (127.0.0.0/8, RFC 1122 3.2.1.3) and ranges of them. Pure.
 */
import { isIPv4 } from "node:net";
import { LocalizerError } from "../errors.ts";

declare const brand: unique symbol;

/** A dotted IPv4 address inside 127.0.0.0/8. */
export type LoopbackAddress = string & { readonly [brand]: "LoopbackAddress" };

/** A block of loopback addresses: `first` is its network address as a 32-bit number, `size` how many it has. */
export interface LoopbackRange {
  readonly first: number;
  readonly size: number;
}

const firstUsable = 0x7f01_0000;

/** Says whether the text is a dotted IPv4 address inside 127.0.0.0/8, written the one canonical way. */
export function isLoopbackAddress(text: string): text is LoopbackAddress {
  return isIPv4(text) && text.startsWith("127.");
}

/** The address at `index` of the range, counted from 0. */
export function addressAt(range: LoopbackRange, index: number): LoopbackAddress {
  if (!(Number.isInteger(index) && index >= 0 && index < range.size)) {
    throw new RangeError(`no address ${index} in a range of ${range.size}`);
  }
  const value = range.first + index;
  const text = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".");
  // Inside the range, which parseLoopbackRange proved to be inside 127/8.
  return text as LoopbackAddress;
}

/** Says whether the address lies in the range. */
export function inRange(range: LoopbackRange, address: LoopbackAddress): boolean {
  const offset = toNumber(address) - range.first;
  return offset >= 0 && offset < range.size;
}

/**
 * Reads "127.0.0.0/8". Host bits are dropped, as the original's default "127.0.0.1/8" needs.
 * @throws LocalizerError `usage` when it is no IPv4 block inside 127.0.0.0/8
 */
export function parseLoopbackRange(text: string): LoopbackRange {
  const [address = "", bits = "", ...rest] = text.split("/");
  const prefix = /^\d{1,2}$/.test(bits) ? Number(bits) : Number.NaN;
  if (!isIPv4(address) || !(prefix >= 8 && prefix <= 32) || !address.startsWith("127.") || rest.length > 0) {
    throw new LocalizerError("usage", `Cannot use "${text}" as an address range: want a block of 127.0.0.0/8`);
  }
  const size = 2 ** (32 - prefix);
  const value = toNumber(address);
  return { first: value - (value % size), size };
}

/** Writes a range as `parseLoopbackRange` reads it: "127.1.0.0/16". */
export function formatLoopbackRange(range: LoopbackRange): string {
  return `${addressAt(range, 0)}/${32 - Math.log2(range.size)}`;
}

/**
 * Reads a range for services.
 * @throws LocalizerError `usage` as `parseLoopbackRange` does, and when the range has no usable address
 */
export function parseServiceRange(text: string): LoopbackRange {
  const range = parseLoopbackRange(text);
  const { first, size } = usableRange(range);
  if (size > 1 || (size === 1 && !isKeptOut(addressAt({ first, size }, 0)))) return range;
  const sentence = `Cannot use "${text}" as an address range: 127.0.0.0/16 and 127.255.255.255 belong to the machine`;
  throw new LocalizerError("usage", sentence);
}

/**
 * The range without 127.0.0.0/16, which belongs to the machine (localhost, resolvers, Debian's 127.0.1.1). Its size may
 * be 0, and 127.255.255.255 may still be in it.
 */
export function usableRange({ first, size }: LoopbackRange): LoopbackRange {
  const machines = Math.min(size, Math.max(0, firstUsable - first));
  return { first: first + machines, size: size - machines };
}

/** Says whether the address belongs to the machine and never to a service; 127.255.255.255 is the broadcast address. */
export function isKeptOut(address: LoopbackAddress): boolean {
  return toNumber(address) < firstUsable || address === "127.255.255.255";
}

function toNumber(address: string): number {
  return address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
}
