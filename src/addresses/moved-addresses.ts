/** The text of an address file: JSON with a version, for whom it is, and the moved addresses, oldest first. Pure. */
import { LocalizerError } from "../errors.ts";
import { isLoopbackAddress } from "../model/loopback.ts";
import { type OwnerKey, podKey, serviceKey } from "../model/service-key.ts";
import type { MovedAddress } from "./address-memory.ts";

/** Whose addresses a file holds. */
export interface MovedAddressesOf {
  readonly clusterUrl: string;
  /** As `formatLoopbackRange` writes it. */
  readonly range: string;
}

const version = 1;

/** The file's text, an address a line. */
export function formatMovedAddresses(about: MovedAddressesOf, entries: readonly MovedAddress[]): string {
  const lines = entries.map((entry) => `    ${JSON.stringify(entry)}`);
  const head = `"version": ${version},\n  "cluster": ${JSON.stringify(about.clusterUrl)},\n  "range": "${about.range}"`;
  return `{\n  ${head},\n  "addresses": [\n${lines.join(",\n")}\n  ]\n}\n`;
}

/**
 * Reads what `formatMovedAddresses` wrote. Whether an address may still be given is the address book's affair.
 * @throws LocalizerError `usage` when the text is anything else, or another cluster's or range's
 */
export function parseMovedAddresses(text: string, about: MovedAddressesOf): readonly MovedAddress[] {
  const value = jsonOf(text);
  const fields = new Map<string, unknown>(typeof value === "object" && value !== null ? Object.entries(value) : []);
  if (fields.get("version") !== version) throw new LocalizerError("usage", `It is not of version ${version}`);
  if (fields.get("cluster") !== about.clusterUrl || fields.get("range") !== about.range) {
    throw new LocalizerError("usage", "It belongs to another cluster or range");
  }
  const entries: unknown = fields.get("addresses");
  if (!Array.isArray(entries)) throw new LocalizerError("usage", "It has no list of addresses");
  return entries.map(entryOf);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new LocalizerError("usage", "It is no JSON", { cause: error });
  }
}

function entryOf(entry: unknown): MovedAddress {
  const [owner, address, ...rest]: unknown[] = Array.isArray(entry) ? entry : [];
  if (typeof owner !== "string" || typeof address !== "string" || !isLoopbackAddress(address) || rest.length > 0) {
    throw new LocalizerError("usage", `It has an entry that is none: ${JSON.stringify(entry).slice(0, 80)}`);
  }
  return [ownerOf(owner), address];
}

function ownerOf(text: string): OwnerKey {
  const [namespace = "", name = "", hostname, ...rest] = text.split("/");
  if (rest.length > 0) throw new LocalizerError("usage", `It has an owner that is none: "${text.slice(0, 80)}"`);
  const service = serviceKey(namespace, name);
  return hostname === undefined ? service : podKey(service, hostname);
}
