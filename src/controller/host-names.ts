/**
 * Under which names a service stands in the hosts file, and which are left out and why. Pure.
 * A namespace may be called `shop` or `dev`, which are top-level domains: `cart.shop` is then somebody's
 * real host, and is written only when the user named that namespace.
 */
import { type HostName, hostName, isHostName } from "../model/host-name.ts";
import { isReservedName } from "../model/reserved-names.ts";
import { nameOf, namespaceOf, type ServiceKey } from "../model/service-key.ts";

/** What decides beside the service. */
export interface HostNamePolicy {
  /** `cluster.local` unless the cluster says otherwise. */
  readonly clusterDomain: string;
  /** Namespaces that the user named: in the context, or by --namespace. */
  readonly namedNamespaces: ReadonlySet<string>;
  /** The namespace whose services get their bare name too. */
  readonly shortNamesFor: string | undefined;
  /** Says whether a word is a top-level domain of the public DNS. */
  readonly isTopLevelDomain: (word: string) => boolean;
  /** Names that stand elsewhere in the hosts file, the machine's own, the API server's. */
  readonly taken: ReadonlySet<string>;
}

/** A service's names, longest first, and those that it does not get. */
export interface HostNames {
  readonly names: readonly HostName[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** Top-level domains that are no entries of the public root but mean something all the same (RFC 6761, ICANN). */
const specialDomains = new Set(["local", "localhost", "internal", "test", "example", "invalid", "onion", "alt"]);

/** The names of a service: `svc.ns.svc.<domain>` and `svc.ns.svc` always, the shorter ones where they harm nobody. */
export function serviceNames(key: ServiceKey, policy: HostNamePolicy): HostNames {
  const name = nameOf(key);
  const namespace = namespaceOf(key);
  const candidates = [`${name}.${namespace}.svc.${policy.clusterDomain}`, `${name}.${namespace}.svc`];
  candidates.push(`${name}.${namespace}`);
  if (policy.shortNamesFor === namespace) candidates.push(name);

  const names: HostName[] = [];
  const skipped: { name: string; reason: string }[] = [];
  for (const candidate of candidates) {
    const reason = reasonToSkip(candidate, key, policy);
    if (reason === undefined) names.push(hostName(candidate));
    else skipped.push({ name: candidate, reason });
  }
  return { names, skipped };
}

function reasonToSkip(name: string, key: ServiceKey, policy: HostNamePolicy): string | undefined {
  if (!isHostName(name)) return "it is no valid host name";
  if (isReservedName(name)) return "the name is reserved";
  if (policy.taken.has(name)) return "the name stands elsewhere in the hosts file or is this machine's";
  const namespace = namespaceOf(key);
  const isPair = name === `${nameOf(key)}.${namespace}`;
  const isPublic = policy.isTopLevelDomain(namespace) || specialDomains.has(namespace);
  if (isPair && isPublic && !policy.namedNamespaces.has(namespace)) {
    return `"${namespace}" is a top-level domain; --namespace ${namespace} allows it`;
  }
  return undefined;
}
