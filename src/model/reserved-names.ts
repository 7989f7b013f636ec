/** Names that mean something to the machine or its programs, whatever a cluster calls a service. Pure. */

const reserved = new Set(
  ["localhost.localdomain", "broadcasthost", "wpad", "isatap", "metadata"].concat([
    "host.docker.internal",
    "gateway.docker.internal",
    "kubernetes.docker.internal",
  ]),
);

/** Says whether no service may have this name: programs trust `localhost` and all below it (RFC 6761 6.3) to be this machine. */
export function isReservedName(name: string): boolean {
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  // Debian's ip6-localhost, ip6-allnodes and the like; below a domain the prefix means nothing.
  return reserved.has(name) || /^ip6-[^.]*$/.test(name);
}
