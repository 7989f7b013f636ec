/**
 * The pod of a session, with the Secret that holds its keys: made, followed, and put behind the Service. The client's key
 * never leaves this process. A pod that is lost is not mended, another one is made.
 */
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import { at, textsAt } from "../kube/json.ts";
import type { Followed, ObjectCache, ObjectKind } from "../kube/object-cache.ts";
import { headOf, kinds, type ObjectRef, type Objects } from "../kube/objects.ts";
import { type PodState, podState } from "../kube/pod-state.ts";
import type { PodRef } from "../model/endpoint.ts";
import type { Port } from "../model/port.ts";
import { namespaceOf } from "../model/service-key.ts";
import { makeKeyPair } from "../ssh/key-pair.ts";
import type { SshIdentity } from "../ssh/ssh-connection.ts";
import { unlessUnsupported } from "./dry-run.ts";
import type { ExposePlan } from "./plan.ts";
import type { PodOptions } from "./pod-options.ts";
import { labels as labelNames, type SessionRecord, sessionSelector } from "./records.ts";
import { servedPods } from "./served-pods.ts";
import type { SeenLease } from "./session-lease.ts";
import { type SessionManifests, sessionManifests } from "./session-manifests.ts";
import { sshUser } from "./sshd-config.ts";

/** A pod of a session, as it is watched. */
export interface WatchedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly state: PodState;
  readonly labels: Readonly<Record<string, string>>;
}

/** What it works with. */
export interface SessionPodComponents {
  readonly objects: Objects;
  readonly clock: Clock;
}

/** What decides how the pod looks. */
export interface SessionPodWish {
  readonly plan: ExposePlan;
  readonly record: SessionRecord;
  readonly lease: Pick<SeenLease, "ref" | "uid">;
  /** 1 for the first pod of the session. */
  readonly attempt: number;
  readonly options: PodOptions;
}

/** A label reaches the slices within tens of milliseconds (verified.md 2). */
const selectedMs = 15_000;
const lookEveryMs = 25;

const watchedPods: ObjectKind<WatchedPod> = {
  resource: kinds.pods,
  parse(value) {
    const { namespace, name, uid } = headOf(value);
    return { namespace, name, uid, state: podState(value), labels: textsAt(value, "metadata", "labels") };
  },
};

/** Follows the pods of a session. Disposing ends it. */
export function followSessionPods(
  cache: Pick<ObjectCache, "follow">,
  { key, session }: Pick<SessionRecord, "key" | "session">,
): Followed<WatchedPod> {
  return cache.follow(watchedPods, { namespace: namespaceOf(key), labelSelector: sessionSelector(session) });
}

/** The session's pod as it is seen now; undefined when there is none, or another one of its name. */
export function watchedPod({
  pod,
  pods,
}: {
  readonly pod?: SessionPod;
  readonly pods: Followed<WatchedPod>;
}): WatchedPod | undefined {
  const seen = pod === undefined ? undefined : pods.objects.get(`${pod.ref.namespace}/${pod.name}`);
  return seen?.uid === pod?.ref.uid ? seen : undefined;
}

/** A pod that was made. */
export class SessionPod {
  readonly #components: SessionPodComponents;
  readonly #wish: SessionPodWish;
  readonly #manifests: SessionManifests;
  readonly #identity: SshIdentity;
  #uid = "";

  constructor(components: SessionPodComponents, wish: SessionPodWish) {
    const [hostKey, clientKey] = [makeKeyPair(), makeKeyPair()];
    const { session, holder } = wish.record;
    const lease = { name: wish.lease.ref.name, uid: wish.lease.uid };
    const keys = { session, lease, hostKey, clientPublicKey: clientKey.publicKey, holder, attempt: wish.attempt };
    this.#components = components;
    this.#wish = wish;
    this.#manifests = sessionManifests(wish.plan, keys, wish.options);
    this.#identity = { user: sshUser, clientKey, hostKey: hostKey.publicKey };
  }

  get name(): string {
    return headOf(this.#manifests.pod).name;
  }

  /** Whom to log in as, and whom to trust. */
  get identity(): SshIdentity {
    return this.#identity;
  }

  get sshPort(): Port {
    return this.#manifests.sshPort;
  }

  /** The pod, once it was made. */
  get ref(): PodRef {
    return { namespace: namespaceOf(this.#wish.record.key), name: this.name, uid: this.#uid };
  }

  /**
   * Has the server check everything (quota, admission) for the pod as it will be in the end, labels and all, and changes
   * nothing. A server or webhook that cannot do that says nothing against it.
   * @returns the pod as the cluster would have it, undefined when it cannot say; and whether it could say about the Secret
   * @throws LocalizerError as the API refuses
   */
  async dryRun(signal: AbortSignal): Promise<{ readonly pod: unknown; readonly isSecretKnown: boolean }> {
    const { secret, pod, labels, lateLabels } = this.#manifests;
    const namespace = namespaceOf(this.#wish.record.key);
    const made = await unlessUnsupported(() =>
      this.#components.objects.create(kinds.secrets, namespace, secret, { signal, dryRun: true }),
    );
    const seen = await unlessUnsupported(() =>
      this.#components.objects.create(kinds.pods, namespace, withLabels(pod, { ...lateLabels, ...labels }), {
        signal,
        dryRun: true,
      }),
    );
    return { pod: seen, isSecretKnown: made !== undefined };
  }

  /** Makes the Secret. May be called again after an answer that was lost. @throws LocalizerError as the API refuses */
  async createSecret(signal: AbortSignal): Promise<void> {
    await this.#create(kinds.secrets, this.#manifests.secret, signal);
  }

  /** Makes the pod, without the Service's labels. As `createSecret`. Gives containers that the cluster has added. */
  async createPod(signal: AbortSignal): Promise<unknown> {
    const made = await this.#create(kinds.pods, this.#manifests.pod, signal);
    this.#uid = headOf(made).uid;
    return made;
  }

  /** Puts the pod behind the Service, and behind others that the user's labels lead to. @throws LocalizerError `not-found` when it is gone */
  async select(labels: Readonly<Record<string, string | null>>, signal: AbortSignal): Promise<void> {
    const { namespace, name, uid } = this.ref;
    const ref: ObjectRef = { ...kinds.pods, namespace, name };
    const all = { ...this.#manifests.lateLabels, ...labels };
    await this.#components.objects.patch(ref, { metadata: { uid, labels: all } }, { signal });
  }

  /** The labels that put it behind the Service. */
  get labels(): Readonly<Record<string, string>> {
    return this.#manifests.labels;
  }

  /** Waits until the Service leads to it. @throws LocalizerError `timeout`, `aborted`; else as the API */
  async selected(signal: AbortSignal): Promise<void> {
    const { clock } = this.#components;
    const { key } = this.#wish.record;
    const untilMs = clock.monotonic() + selectedMs;
    for (;;) {
      const served = await servedPods(this.#components, key, signal);
      if (served.some(({ uid, ready }) => ready && uid === this.#uid)) return;
      if (clock.monotonic() >= untilMs) {
        const sentence = `Service "${key}" did not take pod "${this.name}" within ${selectedMs / 1_000} s`;
        throw new LocalizerError("timeout", sentence);
      }
      await clock.sleep(lookEveryMs, signal);
    }
  }

  /**
   * Deletes the pod and its Secret. What is gone already is fine. Throws as the API.
   * @param options.force the object goes at once, and nobody waits for the node: only for one that does not answer
   */
  async delete(signal: AbortSignal, options: { readonly force?: boolean } = {}): Promise<void> {
    const { namespace } = this.ref;
    const secret = headOf(this.#manifests.secret).name;
    const how = { signal, ...(options.force === true ? { gracePeriodSeconds: 0 } : {}) };
    await unlessGone(() => this.#components.objects.delete({ ...kinds.pods, namespace, name: this.name }, how));
    await unlessGone(() => this.#components.objects.delete({ ...kinds.secrets, namespace, name: secret }, { signal }));
  }

  async #create(resource: typeof kinds.pods | typeof kinds.secrets, body: object, signal: AbortSignal) {
    const { objects } = this.#components;
    const namespace = namespaceOf(this.#wish.record.key);
    try {
      return await objects.create(resource, namespace, body, { signal });
    } catch (error) {
      if (codeOf(error) !== "conflict") throw error;
      const { name } = headOf(body);
      const there = await objects.get({ ...resource, namespace, name }, signal);
      // The answer to our own first try was lost.
      if (textsAt(there, "metadata", "labels")[labelNames.session] === this.#wish.record.session) return there;
      throw error;
    }
  }
}

function withLabels(pod: object, more: Readonly<Record<string, string>>): object {
  return {
    ...pod,
    metadata: { ...objectAt(pod, "metadata"), labels: { ...textsAt(pod, "metadata", "labels"), ...more } },
  };
}

function objectAt(value: unknown, field: string): object {
  const found = at(value, field);
  return typeof found === "object" && found !== null ? found : {};
}

async function unlessGone(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (codeOf(error) !== "not-found") throw error;
  }
}
