/** What a session of somebody else looks like in the cluster when nobody speaks for it: made by the product's own writers, without a daemon. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { systemClock as clock } from "../../src/clock.ts";
import { podOptions } from "../../src/expose/pod-options.ts";
import { type RecordedOwner, recordedOwner, type SessionRecord } from "../../src/expose/records.ts";
import { scaleDown } from "../../src/expose/scale.ts";
import { renewLease, takeLease } from "../../src/expose/session-lease.ts";
import { sessionManifests } from "../../src/expose/session-manifests.ts";
import { ApiClient } from "../../src/kube/api-client.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { headOf, kinds, Objects } from "../../src/kube/objects.ts";
import { serviceKey } from "../../src/model/service-key.ts";
import { makeKeyPair } from "../../src/ssh/key-pair.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { sshdImage } from "../cluster/test-images.ts";
import { planFor } from "./pod-lab.ts";

/** One session, exposed. Disposing ends its signs of life, and nothing else. */
export interface HandMadeSession extends Disposable {
  readonly session: string;
  /** Lease, Secret and pod: `kind/name`. */
  readonly objects: readonly string[];
}

/** Makes sessions as the cluster's administrator. */
export interface SessionMaker extends AsyncDisposable {
  /** Puts a session in the place of Deployment and Service of that name; `lives`: its Lease is renewed. */
  make(
    namespace: string,
    name: string,
    options: { readonly holder: string; readonly lives?: boolean },
  ): Promise<HandMadeSession>;
}

/** What its Leases promise. */
const leaseMs = 3_000;

/** Opens it. */
export async function openSessionMaker({ kubeconfig }: Cluster): Promise<SessionMaker> {
  await using stack = new AsyncDisposableStack();
  const target = stack.use(await loadCluster({ path: kubeconfig, env: {}, home: "/", readFile }));
  const objects = new Objects(stack.use(new ApiClient({ cluster: target, clock }, { version: "0" })));
  const works = stack.move();
  return {
    async make(namespace, name, { holder, lives = false }) {
      const owner = await deploymentOf(objects, namespace, name);
      const plan = planFor(namespace, name);
      const session = randomUUID();
      const record: SessionRecord = {
        ...{ session, key: serviceKey(namespace, name), holder, since: new Date(clock.now()).toISOString() },
        ...{ phase: "exposed", owners: [owner], version: "0" },
      };
      const lease = await takeLease({ objects, clock }, record, { durationMs: leaseMs });
      const alive = lives ? signsOfLife(() => renewLease({ objects, clock }, lease)) : undefined;
      if (alive !== undefined) works.use(alive);
      const keys = {
        ...{ session, holder, attempt: 1, lease: { name: lease.ref.name, uid: lease.uid } },
        ...{ hostKey: makeKeyPair(), clientPublicKey: makeKeyPair().publicKey },
      };
      const { secret, pod, labels } = sessionManifests(plan, keys, podOptions({ image: sshdImage }, "0"));
      const made = [headOf(await objects.create(kinds.secrets, namespace, secret))];
      made.push(headOf(await objects.create(kinds.pods, namespace, pod)));
      await objects.patch({ ...kinds.pods, namespace, name: made[1]?.name ?? "" }, { metadata: { labels } });
      await scaleDown({ objects, clock }, owner, { session, holder });
      return {
        session,
        objects: [`lease/${lease.ref.name}`, `secret/${made[0]?.name}`, `pod/${made[1]?.name}`],
        [Symbol.dispose]: () => alive?.[Symbol.dispose](),
      };
    },
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}

async function deploymentOf(objects: Objects, namespace: string, name: string): Promise<RecordedOwner> {
  const resource = { group: "apps", version: "v1", plural: "deployments" } as const;
  const { uid } = headOf(await objects.get({ ...resource, namespace, name }));
  return recordedOwner({
    ...resource,
    kind: "Deployment",
    namespace,
    name,
    uid,
    replicas: 2,
    scaleBy: "spec",
    adopts: false,
  });
}

/** Renews it three times in each of its times, until disposed. */
function signsOfLife(renew: () => Promise<unknown>): Disposable {
  const over = new AbortController();
  const run = async () => {
    while (!over.signal.aborted) {
      await renew();
      await clock.sleep(leaseMs / 3, over.signal).catch(() => {});
    }
  };
  // The test would see its Lease grow old.
  run().catch(() => {});
  return { [Symbol.dispose]: () => over.abort() };
}
