/** What resolv.conf(5) says about bare names. Pure. */
import { isHostName } from "../model/host-name.ts";

/** glibc has no limit any more; a list this long has other troubles. */
const maxDomains = 16;

/**
 * The domains that the system's resolver tries behind a bare name, in order. The last `search` or `domain` line counts,
 * $LOCALDOMAIN stands in its place; without either it is what follows the first dot of the machine's name (resolv.conf(5)).
 */
export function searchDomains(
  resolvConf: string,
  machine: { readonly hostname: string; readonly localDomain?: string | undefined },
): readonly string[] {
  let words: readonly string[] | undefined;
  for (const line of resolvConf.split("\n")) {
    const [keyword, ...rest] = line.trim().split(/\s+/);
    if (keyword === "search") words = rest;
    else if (keyword === "domain") words = rest.slice(0, 1);
  }
  if (machine.localDomain !== undefined) words = machine.localDomain.trim().split(/\s+/);
  words ??= machine.hostname.split(".").length > 1 ? [machine.hostname.slice(machine.hostname.indexOf(".") + 1)] : [];
  const domains = words.map((word) => word.toLowerCase().replace(/\.$/, "")).filter(isHostName);
  return [...new Set(domains)].slice(0, maxDomains);
}
