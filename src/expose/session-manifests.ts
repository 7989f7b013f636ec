/**
 * The two objects of a session beside its Lease: the Secret with its keys and the pod that runs sshd, as they are sent to the
 * API server. Pure. The pod passes Pod Security "restricted", and has no label that a Service selects it by until it is ready for traffic.
 */
import type { Port } from "../model/port.ts";
import { nameOf, namespaceOf, type ServiceKey } from "../model/service-key.ts";
import type { KeyPair } from "../ssh/key-pair.ts";
import type { ExposePlan } from "./plan.ts";
import { probeCommand, startCommand } from "./pod-commands.ts";
import { pickLabels, podMarks } from "./pod-marks.ts";
import type { PodOptions } from "./pod-options.ts";
import { sessionLabels, shortened } from "./records.ts";
import { sessionFolder, sshdConfig, sshPort, sshUser } from "./sshd-config.ts";

/** Who the session is, and its keys for one pod. The client's private key has no place here. */
export interface SessionKeys {
  /** A UUID. */
  readonly session: string;
  readonly lease: { readonly name: string; readonly uid: string };
  readonly hostKey: KeyPair;
  /** `ssh-ed25519 AAAA…` */
  readonly clientPublicKey: string;
  /** `user@host`. */
  readonly holder: string;
  /** 1 for the session's first pod, one more for each that is made anew, with new keys. */
  readonly attempt: number;
}

/** What is sent, and what has to be known about it. */
export interface SessionManifests {
  readonly secret: object;
  readonly pod: object;
  /** The Service's selector: patched onto the pod when traffic can flow. */
  readonly labels: Readonly<Record<string, string>>;
  /** The user's by which other Services lead to the pod: patched on with those. */
  readonly lateLabels: Readonly<Record<string, string>>;
  /** Where sshd listens, on the pod's loopback. */
  readonly sshPort: Port;
}

/** The container's name, for what the cluster says about it. */
export const containerName = "sshd";

const defaultUid = 65_532;
const maxNameLength = 63;
const privilegedBelow = 1_024;

/**
 * Makes both objects.
 * @throws LocalizerError `usage` when the user's labels or annotations are localizer's own, or the Service's selector
 */
export function sessionManifests(plan: ExposePlan, keys: SessionKeys, options: PodOptions): SessionManifests {
  const targets = [...new Set(plan.ports.map(({ remote }) => remote))];
  const listen = sshPort(targets);
  const name = podName(plan.key, keys);
  return {
    secret: secret(plan, keys, name, sshdConfig(targets, listen)),
    pod: pod(plan, keys, options, name, targets),
    labels: plan.selector,
    lateLabels: pickLabels(options.labels, (name) => plan.lateLabels?.includes(name) === true),
    sshPort: listen,
  };
}

/** Name of a session's pod and of its Secret: `localizer-<service>-<first 8 of the session>`, from the second on with its number. */
export function podName(key: ServiceKey, { session, attempt }: Pick<SessionKeys, "session" | "attempt">): string {
  const end = `-${session.slice(0, 8)}${attempt > 1 ? `-${attempt}` : ""}`;
  return `localizer-${shortened(nameOf(key), maxNameLength - "localizer-".length - end.length)}${end}`;
}

/** Whether the pod is named as one of the session, of whatever Service. */
export function isPodOf(session: string, name: string): boolean {
  return new RegExp(`^localizer-.+-${session.slice(0, 8)}(-[1-9]\\d*)?$`).test(name);
}

function secret({ key, pod }: ExposePlan, keys: SessionKeys, name: string, config: string): object {
  const uid = pod.runAsUser ?? defaultUid;
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name,
      namespace: namespaceOf(key),
      labels: sessionLabels({ session: keys.session, key }),
      ownerReferences: [ownedBy(keys.lease, false)],
    },
    type: "Opaque",
    immutable: true,
    stringData: {
      // Not locked ("!"), and without a password; the shell must exist though nobody gets it.
      passwd: `${sshUser}:*:${uid}:${uid}::/tmp:/bin/sh\n`,
      group: `${sshUser}:x:${uid}:\n`,
      authorized_keys: `restrict,port-forwarding ${line(keys.clientPublicKey)}`,
      hostkey: line(keys.hostKey.privateKey),
      sshd_config: config,
    },
  };
}

function pod(plan: ExposePlan, keys: SessionKeys, options: PodOptions, name: string, targets: readonly Port[]): object {
  const { key, pod: settings, owners, adopters = [] } = plan;
  const uid = settings.runAsUser ?? defaultUid;
  // A controller keeps adopters away, but has the disruption controller stumble over the Lease: only where it must be.
  const adopted = adopters.length > 0 || owners.some(({ adopts }) => adopts);
  const lowPorts = targets.some((port) => port < privilegedBelow);
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: namespaceOf(key),
      ...podMarks({ ...plan, ...keys }, options),
      ownerReferences: [ownedBy(keys.lease, adopted)],
    },
    spec: {
      restartPolicy: "Always",
      terminationGracePeriodSeconds: 2,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...inherited(plan, options),
      securityContext: {
        runAsNonRoot: true,
        runAsUser: uid,
        runAsGroup: uid,
        fsGroup: uid,
        seccompProfile: { type: "RuntimeDefault" },
        ...(lowPorts ? { sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }] } : {}),
      },
      containers: [container(plan, options, targets)],
      volumes: [{ name: "session", secret: { secretName: name, defaultMode: 0o440 } }],
    },
  };
}

function container(plan: ExposePlan, options: PodOptions, targets: readonly Port[]): object {
  const mount = (mountPath: string, subPath?: string) => ({
    ...{ name: "session", mountPath, readOnly: true },
    ...(subPath === undefined ? {} : { subPath }),
  });
  return {
    name: containerName,
    image: options.image,
    imagePullPolicy: options.imagePullPolicy,
    command: startCommand(),
    // What it says at its end is in the pod's status then.
    terminationMessagePolicy: "FallbackToLogsOnError",
    ports: containerPorts(plan),
    readinessProbe: {
      exec: { command: probeCommand(targets) },
      periodSeconds: 1,
      timeoutSeconds: 2,
      failureThreshold: 2,
    },
    resources: { requests: options.requests, limits: options.limits },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      privileged: false,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [mount(sessionFolder), mount("/etc/passwd", "passwd"), mount("/etc/group", "group")],
  };
}

/** Each name once, for the EndpointSlice controller looks ports up by it; a number without one only if nothing else says it. */
function containerPorts({ ports }: ExposePlan): readonly object[] {
  const byName = new Map<string, Port>();
  for (const { remote, remoteName } of ports) {
    if (remoteName !== "" && !byName.has(remoteName)) byName.set(remoteName, remote);
  }
  const named = new Set(byName.values());
  const nameless = new Set(ports.map(({ remote }) => remote).filter((port) => !named.has(port)));
  return [
    ...[...byName].map(([name, containerPort]) => ({ name, containerPort, protocol: "TCP" })),
    ...[...nameless].map((containerPort) => ({ containerPort, protocol: "TCP" })),
  ];
}

/** What it takes over from the pods that it stands in for. Not their service account, volumes, affinity or runtime class. */
function inherited({ pod: settings }: ExposePlan, { pullSecrets }: PodOptions): object {
  const secrets = [...new Set([...settings.imagePullSecrets, ...pullSecrets])].map((name) => ({ name }));
  const { hostname, subdomain, priorityClassName, nodeSelector, tolerations, avoidedNode } = settings;
  return {
    ...(avoidedNode === undefined ? {} : { affinity: { nodeAffinity: elsewhere(avoidedNode) } }),
    ...(secrets.length === 0 ? {} : { imagePullSecrets: secrets }),
    ...(Object.keys(nodeSelector).length === 0 ? {} : { nodeSelector }),
    ...(tolerations.length === 0 ? {} : { tolerations }),
    ...(priorityClassName === undefined ? {} : { priorityClassName }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(subdomain === undefined ? {} : { subdomain }),
  };
}

/** Where tolerations let it, the scheduler takes a node that does not report. A wish only: it may be the only one, and come back. */
function elsewhere(node: string): object {
  const preference = { matchFields: [{ key: "metadata.name", operator: "NotIn", values: [node] }] };
  return { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, preference }] };
}

/** Whoever deletes the Lease deletes this; nothing waits for it. */
function ownedBy(lease: SessionKeys["lease"], controller: boolean): object {
  const { name, uid } = lease;
  return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", name, uid, controller, blockOwnerDeletion: false };
}

function line(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
