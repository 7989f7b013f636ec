/** A Service as it is typed: NAMESPACE/SERVICE, or SERVICE alone. Pure. */
import { LocalizerError } from "../errors.ts";
import { isDnsLabel } from "../model/host-name.ts";
import type { ClusterInfo } from "../rpc/listed.ts";

/** What was typed. Without a namespace the context's is meant. */
export interface Target {
  readonly namespace: string | undefined;
  readonly name: string;
}

/** @throws LocalizerError `usage` with `action` ("wait for") in its sentence when the word is neither of the two */
export function parseTarget(word: string, action: string): Target {
  const parts = word.split("/");
  const [first = "", second] = parts;
  if (parts.length > 2 || !parts.every(isDnsLabel)) {
    throw new LocalizerError("usage", `Cannot ${action} "${word}": want NAMESPACE/SERVICE, or SERVICE alone`);
  }
  return second === undefined ? { namespace: undefined, name: first } : { namespace: first, name: second };
}

/** The context's namespace, as kubectl takes it. */
export function contextNamespace(cluster: ClusterInfo | undefined): string {
  return cluster?.namespace || "default";
}
