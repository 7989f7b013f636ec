/** Asks the cluster before anything exists whether it would refuse what an exposure does. */
import { LocalizerError } from "../errors.ts";
import { addedToPod } from "./added-containers.ts";
import { unlessUnsupported } from "./dry-run.ts";
import { describeOwner, type ScaleComponents, scaleDown } from "./scale.ts";
import { leaseRef } from "./session-lease.ts";
import type { SessionHoldings, SessionSettings } from "./session-parts.ts";
import { SessionPod } from "./session-pod.ts";

/** What it has said, when it has refused nothing. */
export interface Rehearsal {
  /** A sentence for each thing that it would add to the pod. */
  readonly added: readonly string[];
  /** A sentence for each request on which it could not be asked (see dry-run). */
  readonly unknown: readonly string[];
}

const noUid = "00000000-0000-0000-0000-000000000000";

/**
 * Has the cluster say no before anything exists: to the pod as it will be in the end, and to 0 replicas of each owner. What it cannot
 * say before counts as no refusal.
 * @throws LocalizerError as the API refuses, with what was refused
 */
export async function rehearse(
  components: ScaleComponents,
  settings: Pick<SessionSettings, "pod">,
  { plan, record, mates }: Pick<SessionHoldings, "plan" | "record" | "mates">,
  signal: AbortSignal,
): Promise<Rehearsal> {
  const lease = { ref: leaseRef(record.key), uid: noUid };
  const pod = new SessionPod(components, { plan, record, lease, attempt: 1, options: settings.pod });
  const unknown: string[] = [];
  const refused = refusedAs(`The cluster refuses the pod that would take the place of "${record.key}"`);
  const seen = await pod.dryRun(signal).catch(refused);
  if (!seen.isSecretKnown) unknown.push(unknownSentence("the pod's Secret"));
  if (seen.pod === undefined) unknown.push(unknownSentence("the pod"));
  const by = { session: record.session, holder: record.holder, mates: mates() };
  for (const owner of record.owners) {
    const replicas = await unlessUnsupported(() => scaleDown(components, owner, by, { signal, dryRun: true })).catch(
      refusedAs("The cluster refuses the change"),
    );
    if (replicas === undefined) unknown.push(unknownSentence(`0 replicas of ${describeOwner(owner)}`));
  }
  return { added: seen.pod === undefined ? [] : addedToPod(seen.pod), unknown };
}

/** Why it stays open whether the cluster would allow something. */
function unknownSentence(what: string): string {
  return `Whether the cluster allows ${what} is seen only when it is done: an admission webhook does not support dry runs`;
}

function refusedAs(action: string): (error: unknown) => never {
  return (error) => {
    throw LocalizerError.wrap(error, action);
  };
}
