/** A namespace that enforces Pod Security "restricted", a user with the role `edit` in it, and sessions' objects made by that user. */
import { randomBytes, randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Duplex } from "node:stream";
import { systemClock as clock } from "../../src/clock.ts";
import type { ExposePlan } from "../../src/expose/plan.ts";
import { podOptions } from "../../src/expose/pod-options.ts";
import { takeLease } from "../../src/expose/session-lease.ts";
import { type SessionManifests, sessionManifests } from "../../src/expose/session-manifests.ts";
import { ApiClient } from "../../src/kube/api-client.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { headOf, kinds, Objects } from "../../src/kube/objects.ts";
import { type PodState, podState } from "../../src/kube/pod-state.ts";
import { silentLogger } from "../../src/log.ts";
import type { PodRef } from "../../src/model/endpoint.ts";
import { namespaceOf, serviceKey } from "../../src/model/service-key.ts";
import { podConnector } from "../../src/portforward/choose-engine.ts";
import { engineDialer } from "../../src/portforward/engine-dialer.ts";
import { openPodDialer } from "../../src/portforward/pod-dialer.ts";
import { type KeyPair, makeKeyPair } from "../../src/ssh/key-pair.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { sshdImage } from "../cluster/test-images.ts";
import { waitFor } from "../cluster/wait.ts";
import { accountObjects, accountToken, writeUserKubeconfig } from "../e2e/service-account.ts";
import { examplePlan } from "../support/expose-plan.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** A session whose objects are in the cluster. */
export interface PodSession {
  readonly manifests: SessionManifests;
  readonly pod: PodRef;
  readonly hostKey: KeyPair;
  readonly clientKey: KeyPair;
  readonly lease: { readonly name: string; readonly uid: string };
}

/** The place. Disposing removes the namespace. */
export interface PodLab extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly namespace: string;
  /** Calls as the user. */
  readonly objects: Objects;
  /** Runs kubectl as the user. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
  /** Makes Lease, Secret and pod as the user. */
  start(service: string, parts?: Partial<ExposePlan>, image?: string): Promise<PodSession>;
  state(pod: PodRef): Promise<PodState>;
  /** Waits until the pod's state is so. */
  until(what: string, pod: PodRef, wanted: (state: PodState) => boolean): Promise<PodState>;
  /** A stream to the pod's sshd, by port-forwarding as the user. */
  dial(session: PodSession): Promise<Duplex>;
}

const timeoutMs = 60_000;

/** Makes the place. */
export async function openPodLab(): Promise<PodLab> {
  await using works = new AsyncDisposableStack();
  const cluster = works.use(await startCluster());
  const folder = works.use(temporaryFolder());
  const namespace = `expose-pod-${randomBytes(3).toString("hex")}`;
  works.defer(async () => void (await cluster.kubectl(["delete", "namespace", namespace, "--wait=false"])));
  const level = "pod-security.kubernetes.io";
  const labels = { [`${level}/enforce`]: "restricted", [`${level}/warn`]: "restricted" };
  await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } }]);
  const account = { namespace, name: "editor", role: "edit" } as const;
  await cluster.apply(accountObjects(account));
  // Pods are refused until the namespace has its default account.
  await waitFor("the default account", () => cluster.kubectl(["get", "sa", "default", "-n", namespace]), { timeoutMs });

  const user = { token: await accountToken(cluster, account) };
  const kubeconfig = writeUserKubeconfig(cluster, folder.path, { name: "editor", user, namespace });
  const target = works.use(await loadCluster({ path: kubeconfig, env: {}, home: "/", readFile }));
  const client = works.use(new ApiClient({ cluster: target, clock }, { version: "0" }));
  const objects = new Objects(client);
  const connector = works.use(podConnector({ cluster: target, clock, log: silentLogger() }));
  const pools = works.use(openPodDialer({ connect: (of, signal) => connector.connect(of, signal), clock }));
  const dial = engineDialer(connector, pools.dial);
  const state: PodLab["state"] = async (pod) => podState(await objects.get({ ...kinds.pods, ...pod }));

  const owned = works.move();
  return {
    ...{ cluster, namespace, objects, state },
    kubectl: (args, input = "") => cluster.kubectl(["--kubeconfig", kubeconfig, ...args], { input }),
    start: (service, parts, image) => startSession(objects, planFor(namespace, service, parts), image),
    until(what, pod, wanted) {
      const probe = async () => {
        const now = await state(pod);
        return wanted(now) ? now : undefined;
      };
      return waitFor(`pod "${pod.name}" ${what}`, probe, { timeoutMs });
    },
    dial: ({ pod, manifests }) => dial({ pod, port: manifests.sshPort }, AbortSignal.timeout(timeoutMs)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A plan for a Service of that namespace. */
export function planFor(namespace: string, service: string, parts: Partial<ExposePlan> = {}): ExposePlan {
  return examplePlan({ key: serviceKey(namespace, service), selector: { app: service }, ...parts });
}

async function startSession(objects: Objects, plan: ExposePlan, image = sshdImage): Promise<PodSession> {
  const [session, holder] = [randomUUID(), "alice@laptop"];
  const since = new Date(clock.now()).toISOString();
  const record = { session, key: plan.key, holder, since, phase: "starting", owners: [], version: "0" } as const;
  const { ref, uid } = await takeLease({ objects, clock }, record, { durationMs: 60_000 });
  const lease = { name: ref.name, uid };
  const [hostKey, clientKey] = [makeKeyPair(), makeKeyPair()];
  const keys = { session, lease, hostKey, clientPublicKey: clientKey.publicKey, holder, attempt: 1 };
  const manifests = sessionManifests(plan, keys, podOptions({ image }, "0"));
  const namespace = namespaceOf(plan.key);
  await objects.create(kinds.secrets, namespace, manifests.secret);
  const pod = headOf(await objects.create(kinds.pods, namespace, manifests.pod));
  return { manifests, pod: { namespace, name: pod.name, uid: pod.uid }, hostKey, clientKey, lease };
}
