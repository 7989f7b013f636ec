/** When the pods of a lab's first Service become ready and cease to be, as its EndpointSlice says: from a watch of the bench's own. */
import { readFile } from "node:fs/promises";
import { systemClock } from "../../src/clock.ts";
import { ApiClient } from "../../src/kube/api-client.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Lab } from "./lab.ts";

const timeoutMs = 60_000;

/** A watch that is up. Disposing ends it. */
export interface SliceWatch extends AsyncDisposable {
  /** Resolves to when it became so, on the clock of `performance.now`: after `sinceMs`. Throws after a minute. */
  changed(toReady: boolean, sinceMs: number): Promise<number>;
}

/** Resolves when the first state is there. */
export async function watchSlice(lab: Lab, signal: AbortSignal): Promise<SliceWatch> {
  const stop = new AbortController();
  const path = lab.cluster.kubeconfig;
  const cluster = await loadCluster({ path, env: {}, home: "/", readFile: (file) => readFile(file) });
  const client = new ApiClient({ cluster, clock: systemClock }, { version: "bench" });
  const changes: { readonly atMs: number; readonly isReady: boolean }[] = [];
  let failure: unknown;
  const watch = async () => {
    const query = `watch=1&timeoutSeconds=600&labelSelector=${encodeURIComponent("kubernetes.io/service-name=app")}`;
    const where = `/apis/discovery.k8s.io/v1/namespaces/${lab.namespace}/endpointslices?${query}`;
    for await (const { object } of client.watch(where, { signal: AbortSignal.any([signal, stop.signal]) })) {
      const isReady = JSON.stringify(object).includes('"ready":true');
      if (changes.at(-1)?.isReady !== isReady) changes.push({ atMs: performance.now(), isReady });
    }
    throw new Error("The watch has ended");
  };
  const watching = watch().catch((error: unknown) => {
    failure = error;
  });
  const first = () => changes.length > 0;
  await waitFor("the slice", first, { timeoutMs, intervalMs: 20, signal });
  return {
    async changed(toReady, sinceMs) {
      const what = `the slice to have ${toReady ? "a" : "no"} ready endpoint`;
      const change = () => {
        if (failure !== undefined) throw failure;
        return changes.find(({ atMs, isReady }) => atMs >= sinceMs && isReady === toReady);
      };
      return (await waitFor(what, change, { timeoutMs, intervalMs: 10, signal })).atMs;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await watching;
      await client[Symbol.asyncDispose]();
    },
  };
}
