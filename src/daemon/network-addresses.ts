/** This machine's addresses in its networks. */
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

/** Those by which others can be reached: not loopback, and not link-local ones, which come and go with every container. */
export function networkAddresses(interfaces: () => Interfaces = networkInterfaces): ReadonlySet<string> {
  const all = Object.values(interfaces()).flatMap((infos) => infos ?? []);
  const others = all.filter(({ address, internal }) => !internal && !/^169\.254\.|^fe[89ab]/i.test(address));
  return new Set(others.map(({ address }) => address));
}
