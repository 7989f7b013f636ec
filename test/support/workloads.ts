/** A simulated cluster on a clock by hand, with the few calls that tests of its controllers make. */
import type { ApiObject, ObjectDraft } from "../../src/sandbox/api-object.ts";
import { type SandboxClusterOptions, startSandboxCluster } from "../../src/sandbox/cluster/sandbox-cluster.ts";
import { FakeClock } from "./fake-clock.ts";

/** Starts one; all is in the namespace `default`. */
export async function startFakeCluster(options: SandboxClusterOptions = {}) {
  const clock = new FakeClock();
  const cluster = await startSandboxCluster(clock, { versions: ["http/1.1"], ...options });
  const { server } = cluster;
  const place = (kind: string) => ({ resource: server.resource(kind), namespace: "default" });
  return {
    clock,
    cluster,
    place,
    list: (kind: string): readonly ApiObject[] => server.store.list(server.resource(kind), "default"),
    names: (kind: string) => server.store.list(server.resource(kind), "default").map(({ metadata }) => metadata.name),
    find: (kind: string, name: string) => server.store.get(server.resource(kind), "default", name),
    /** Creates it, and waits until all that follows has happened. */
    async create(kind: string, draft: ObjectDraft): Promise<ApiObject> {
      const made = server.objects.create(place(kind), draft);
      await cluster.settled();
      return made;
    },
    async patch(kind: string, name: string, patch: object): Promise<ApiObject> {
      const patched = server.objects.patch(place(kind), name, patch);
      await cluster.settled();
      return patched;
    },
    async delete(kind: string, name: string): Promise<void> {
      server.objects.delete(place(kind), name);
      await cluster.settled();
    },
    /** Moves the time, and waits for what follows. */
    async advance(ms: number): Promise<void> {
      await clock.advance(ms);
      await cluster.settled();
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

/** A workload of some pods with a label of its name. */
export function workload(app: string, replicas: number, more: object = {}): ObjectDraft {
  const labels = { app };
  const template = { metadata: { labels }, spec: { containers: [{ name: "app", image: "one" }] } };
  return { metadata: { name: app }, spec: { replicas, selector: { matchLabels: labels }, template, ...more } };
}
