/**
 * The objects that run `localizer restore` in a cluster, with the rights that putting back takes and no more: it reads no Secret (a
 * session's Secret goes with its Lease, by the garbage collector), and makes nothing. Pure.
 */

/** A kind that is scaled by its subresource: "rollouts" of "argoproj.io". */
export interface ScaledKind {
  readonly plural: string;
  readonly group: string;
}

/** How the reaper is to run. */
export interface ReaperPlan {
  /** Where it runs; its own objects are there. */
  readonly namespace: string;
  readonly image: string;
  /** Of localizer. */
  readonly version: string;
  /** As the command line takes them: "10m". */
  readonly grace: string;
  readonly every: string;
  /** Where it looks and has rights; empty: everywhere. */
  readonly watched: readonly string[];
  /** Beside those that Kubernetes itself has. */
  readonly kinds: readonly ScaledKind[];
}

/** A rule of a Role (rbac.authorization.k8s.io/v1 PolicyRule). */
export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** The namespace that is made for it; any other is somebody's, and neither made nor labelled. */
export const reaperNamespace = "localizer";

const name = "localizer-reaper";
/** Nobody's, as in the image. */
const uid = 65_532;

/** The image that belongs to a version of localizer ("0.1.0"). */
export function reaperImage(version: string): string {
  return `ghcr.io/getoutreach/localizer:v${version}`;
}

/** The objects, in the order in which they can be made. */
export function reaperManifest(plan: ReaperPlan): readonly object[] {
  const labels = marks(plan);
  const { namespace } = plan;
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace, labels } };
  return [
    ...(namespace === reaperNamespace ? [namespaceObject(plan)] : []),
    { ...account, automountServiceAccountToken: false },
    ...rights(plan),
    deployment(plan),
  ];
}

/** What it may do. */
export function reaperRules(kinds: readonly ScaledKind[]): readonly PolicyRule[] {
  return [
    // Which sessions there are, whether they live, who puts one back, and that it is over.
    { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "list", "patch", "delete"] },
    // The sessions' pods: out of the Service first, which takes its selector and slices, then away.
    { apiGroups: [""], resources: ["pods"], verbs: ["list", "patch", "delete"] },
    { apiGroups: [""], resources: ["services"], verbs: ["get"] },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list"] },
    // What was scaled, by whom, and back to what it was.
    { apiGroups: ["apps"], resources: ["deployments", "replicasets", "statefulsets"], verbs: ["get", "list", "patch"] },
    { apiGroups: [""], resources: ["replicationcontrollers"], verbs: ["get", "list", "patch"] },
    ...kinds.flatMap(({ group, plural }) => [
      { apiGroups: [group], resources: [plural], verbs: ["get", "list", "patch"] },
      { apiGroups: [group], resources: [`${plural}/scale`], verbs: ["get", "update"] },
    ]),
  ];
}

/** Not "managed-by: localizer", which marks what sessions have made. */
function marks({ version }: Pick<ReaperPlan, "version">): Readonly<Record<string, string>> {
  return { ...selector, "app.kubernetes.io/version": version.replace(/[^\w.-]/g, "_") };
}

const selector = { "app.kubernetes.io/name": "localizer", "app.kubernetes.io/component": "reaper" } as const;

function namespaceObject(plan: ReaperPlan): object {
  const level = { "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted" };
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: plan.namespace, labels: { ...marks(plan), ...level } },
  };
}

/** One role for all namespaces, or one in each. Their name says whose they are: others may run a reaper of their own. */
function rights(plan: ReaperPlan): readonly object[] {
  const { namespace, watched, kinds } = plan;
  const places = watched.length === 0 ? [undefined] : watched;
  return places.flatMap((place) => {
    const metadata = {
      name: `${name}:${namespace}`,
      ...(place === undefined ? {} : { namespace: place }),
      labels: marks(plan),
    };
    const apiGroup = "rbac.authorization.k8s.io";
    const [kind, binding] = place === undefined ? ["ClusterRole", "ClusterRoleBinding"] : ["Role", "RoleBinding"];
    const apiVersion = `${apiGroup}/v1`;
    return [
      { apiVersion, kind, metadata, rules: reaperRules(kinds) },
      {
        ...{ apiVersion, kind: binding, metadata },
        roleRef: { apiGroup, kind, name: metadata.name },
        subjects: [{ kind: "ServiceAccount", name, namespace }],
      },
    ];
  });
}

function deployment(plan: ReaperPlan): object {
  const { namespace, image, every, grace, watched } = plan;
  const places = watched.length === 0 ? ["--all"] : watched.map((place) => `--namespace=${place}`);
  const container = {
    name: "reaper",
    image,
    imagePullPolicy: "IfNotPresent",
    args: ["restore", ...places, `--every=${every}`, `--grace=${grace}`],
    resources: { requests: { cpu: "10m", memory: "96Mi" }, limits: { cpu: "500m", memory: "256Mi" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
  };
  const spec = {
    serviceAccountName: name,
    automountServiceAccountToken: true,
    // A Service named "localizer" would set variables that are read as flags.
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: uid,
      runAsGroup: uid,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [container],
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace, labels: marks(plan) },
    spec: {
      replicas: 1,
      strategy: { type: "Recreate" },
      revisionHistoryLimit: 2,
      selector: { matchLabels: selector },
      template: { metadata: { labels: marks(plan) }, spec },
    },
  };
}
