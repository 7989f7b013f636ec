/** What a session holds before it has made anything, and how it lets go of what it has made since. */
import type { SessionComponents, SessionHoldings, SessionWish } from "./session-parts.ts";
import { followSessionPods } from "./session-pod.ts";

/** Follows the session's pods already; all else is to come. */
export function newHoldings(
  { cache }: Pick<SessionComponents, "cache">,
  { plan, record, sides, mates }: SessionWish,
): SessionHoldings {
  const ports = plan.ports.flatMap(({ remote }, index) => {
    const side = sides[index];
    return side === undefined ? [] : [{ remote, take: side.take, refused: side.refused }];
  });
  return { plan, ports: onePerRemote(ports), mates, pods: followSessionPods(cache, record), record, attempts: 0 };
}

/** Closes all that is open here; what is in the cluster stays. May be called twice. */
export async function releaseHoldings(
  { heartbeat, ssh, pods }: Pick<SessionHoldings, "heartbeat" | "ssh" | "pods">,
  { sides }: Pick<SessionWish, "sides">,
): Promise<void> {
  await heartbeat?.[Symbol.asyncDispose]();
  await ssh?.[Symbol.asyncDispose]();
  await Promise.all(sides.map((side) => side[Symbol.asyncDispose]()));
  await pods[Symbol.asyncDispose]();
}

/** Two ports of the Service may lead to one of the pod: it listens once, and the first of them takes. */
function onePerRemote<T extends { readonly remote: number }>(ports: readonly T[]): readonly T[] {
  return [...new Map([...ports].reverse().map((port) => [port.remote, port])).values()].reverse();
}
