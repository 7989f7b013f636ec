/** Why a Service, or a whole namespace, is not in the list: left out, not followed, not allowed. Pure. */
import { type ErrorCode, LocalizerError } from "../errors.ts";
import type { ServiceList } from "../rpc/listed.ts";

/** What is looked for; without a name anything of the namespace. */
export interface Sought {
  readonly namespace: string;
  readonly name?: string;
}

/** Undefined when the daemon knows no reason: it is not there. The code is `denied` for lack of rights, else `not-found`. */
export function whyAbsent(sought: Sought, list: Pick<ServiceList, "cluster" | "leftOut">): LocalizerError | undefined {
  const { namespace, name } = sought;
  const followed = list.cluster?.namespaces ?? [];
  const isElsewhere = followed.length > 0 && !followed.includes(namespace);
  const left = list.leftOut.find(
    (one) =>
      (one.namespace === namespace || (one.namespace === "*" && (isElsewhere || followed.length === 0))) &&
      (one.name === "" || one.name === name),
  );
  const what = name === undefined ? `Namespace "${namespace}"` : `Service "${namespace}/${name}"`;
  if (left === undefined) {
    if (!isElsewhere) return undefined;
    // A daemon that does not say why.
    return new LocalizerError("not-found", `${what} is not followed: the daemon follows ${followed.join(", ")} only`);
  }
  const code: ErrorCode = left.status === "denied" ? "denied" : "not-found";
  const how = code === "denied" || isElsewhere ? "is not followed" : "is left out";
  return new LocalizerError(code, `${what} ${how}: ${left.reason}`);
}
