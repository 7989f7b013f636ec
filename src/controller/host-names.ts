/**
 * Under which names a service or a pod stands in the hosts file, and which are left out and why. Pure, but for the
 * policy's answers. A namespace may be called `shop` or `dev`, which are top-level domains: `cart.shop` is then
 * somebody's real host, and is written only when the user named that namespace.
 */
import { type HostName, hostName, isHostName } from "../model/host-name.ts";
import { isReservedName } from "../model/reserved-names.ts";
import { nameOf, namespaceOf, type ServiceKey } from "../model/service-key.ts";

/** What decides beside the service. */
export interface HostNamePolicy {
  /** `cluster.local` unless the cluster says otherwise. */
  readonly clusterDomain: string;
  /** Namespaces that the user named: in the context, by --namespace or by --allow-suffix. */
  readonly namedNamespaces: ReadonlySet<string>;
  /** The namespace whose services get their bare name too. */
  readonly shortNamesFor: string | undefined;
  /** Says whether a word is a top-level domain of the public DNS. */
  readonly isTopLevelDomain: (word: string) => boolean;
  /** Names that stand elsewhere in the hosts file, the machine's own, the API server's. */
  readonly taken: { has(name: string): boolean };
  /** Whether the system resolves the bare name, to something else; undefined while that is not known: `onChange` tells. */
  resolvesElsewhere(name: string): boolean | undefined;
  /** True when every answer that was asked for is there. */
  readonly settled: boolean;
  /** Tells whose names have to be computed again. The listener must not throw; disposing ends it. */
  onChange(listener: (changed: ServiceKey | "all") => void): Disposable;
}

/** A service's or a pod's names, longest first, and those that it does not get. */
export interface HostNames {
  readonly names: readonly HostName[];
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** Top-level domains that are no entries of the public root but mean something all the same (RFC 6761, ICANN). */
const specialDomains = new Set(["local", "localhost", "internal", "test", "example", "invalid", "onion", "alt"]);

/** A name that might be written, and what is to be said against it beside what holds for all. */
type Candidate = readonly [name: string, objection?: string | undefined];

/** The names of a service: `svc.ns.svc.<domain>` and `svc.ns.svc` always, the shorter ones where they harm nobody. */
export function serviceNames(key: ServiceKey, policy: HostNamePolicy): HostNames {
  const namespace = namespaceOf(key);
  const candidates = namesBelow(nameOf(key), namespace, policy);
  return chosen(policy.shortNamesFor === namespace ? [...candidates, [nameOf(key)]] : candidates, policy);
}

/**
 * The names of a pod of a headless service, as cluster DNS gives them to endpoints with a host name (DNS-Based Service
 * Discovery 2.4.1): `hostname.svc.ns.svc.<domain>` and so on. No bare name.
 */
export function podNames(key: ServiceKey, hostname: string, policy: HostNamePolicy): HostNames {
  const namespace = namespaceOf(key);
  const [full, long, [short, objection]] = namesBelow(`${hostname}.${nameOf(key)}`, namespace, policy);
  // In a namespace "svc": `a.b.svc` is the service a of the namespace b.
  const isAnothers = namespace === "svc" ? "a Service may have that name" : objection;
  return chosen([full, long, [short, isAnothers]], policy);
}

function namesBelow(name: string, namespace: string, policy: HostNamePolicy): [Candidate, Candidate, Candidate] {
  const short = `${name}.${namespace}`;
  const isPublic = policy.isTopLevelDomain(namespace) || specialDomains.has(namespace);
  const isForeign = isPublic && !policy.namedNamespaces.has(namespace);
  const objection = `"${namespace}" is a top-level domain; --allow-suffix ${namespace} allows it`;
  return [[`${short}.svc.${policy.clusterDomain}`], [`${short}.svc`], [short, isForeign ? objection : undefined]];
}

function chosen(candidates: readonly Candidate[], policy: HostNamePolicy): HostNames {
  const names: HostName[] = [];
  const skipped: { name: string; reason: string }[] = [];
  for (const [name, objection] of candidates) {
    const reason = reasonToSkip(name, policy) ?? objection ?? reasonToWait(name, policy);
    if (reason === undefined) names.push(hostName(name));
    else skipped.push({ name, reason });
  }
  // A copy has no room for more, which would be 17 places for each service.
  return { names: names.slice(), skipped };
}

function reasonToSkip(name: string, policy: HostNamePolicy): string | undefined {
  if (!isHostName(name)) return "it is no valid host name";
  if (isReservedName(name)) return "the name is reserved";
  if (policy.taken.has(name)) return "the name stands elsewhere in the hosts file or is this machine's";
  return undefined;
}

/** Only a bare name can mean a host of the user's network: the resolver adds search domains to it. */
function reasonToWait(name: string, policy: HostNamePolicy): string | undefined {
  if (name.includes(".")) return undefined;
  const isElsewhere = policy.resolvesElsewhere(name);
  if (isElsewhere === undefined) return "whether it is somebody's on this network is being asked";
  return isElsewhere ? "this network's DNS has a host of that name" : undefined;
}
