/** What else stands in a hosts file: names and loopback addresses that are not ours to give out. Pure. */
import { isLoopbackAddress, type LoopbackAddress } from "../model/loopback.ts";
import { foreignLines } from "./block.ts";

/** Names (in lower case) and loopback addresses of the lines outside a block. */
export interface ForeignHosts {
  readonly names: ReadonlySet<string>;
  readonly addresses: ReadonlySet<LoopbackAddress>;
}

/**
 * Names and 127.x addresses on lines that the instance did not write; blocks of other localizers and of other tools count
 * as foreign. Comments are skipped.
 */
export function foreignHosts(bytes: Buffer, instance: string): ForeignHosts {
  const names = new Set<string>();
  const addresses = new Set<LoopbackAddress>();
  for (const line of foreignLines(bytes, instance)) {
    // A byte order mark, seen as latin1, may stand before the first address.
    const [entry = ""] = line.replace(/^\u00ef\u00bb\u00bf/, "").split("#");
    const [address, ...lineNames] = entry.trim().split(/\s+/);
    if (address === undefined || lineNames.length === 0) continue;
    for (const name of lineNames) names.add(name.toLowerCase());
    if (isLoopbackAddress(address)) addresses.add(address);
  }
  return { names, addresses };
}
