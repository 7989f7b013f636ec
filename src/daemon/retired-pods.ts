/**
 * Notices pods that no EndpointSlice names any more, so that nothing is kept open to them. A pod that is only not ready, or
 * left out of one of several Services, has not left.
 */
import type { ClusterCache } from "../kube/cluster-cache.ts";
import type { ServiceKey } from "../model/service-key.ts";

/** What is asked of the cache. */
type Slices = Pick<ClusterCache, "onChange" | "slicesOf">;

/** Calls `retire` with the UID of each pod that has left. Disposing ends it. */
export function watchRetiredPods(cache: Slices, retire: (uid: string) => void): Disposable {
  /** Lists: 5,000 sets of one pod each would take a MiB. */
  const podsOf = new Map<ServiceKey, readonly string[]>();
  /** How many Services have the pod. */
  const uses = new Map<string, number>();
  return cache.onChange((key) => {
    const before = new Set(podsOf.get(key));
    const now = new Set(cache.slicesOf(key).flatMap(({ endpoints }) => endpoints.flatMap(({ pod }) => pod?.uid ?? [])));
    if (now.size > 0) podsOf.set(key, [...now]);
    else podsOf.delete(key);
    for (const uid of now) if (!before.has(uid)) uses.set(uid, (uses.get(uid) ?? 0) + 1);
    for (const uid of before) {
      if (now.has(uid)) continue;
      const left = (uses.get(uid) ?? 1) - 1;
      if (left > 0) uses.set(uid, left);
      else {
        uses.delete(uid);
        retire(uid);
      }
    }
  });
}
