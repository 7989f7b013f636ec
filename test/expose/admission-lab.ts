/** What a cluster's owner may put in the way of pods and scaling, in one namespace: policies and quotas. Each removes itself. */
import { randomBytes } from "node:crypto";
import { CommandError } from "../cluster/run-command.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { waitFor } from "../cluster/wait.ts";

/** Where it applies. */
export interface AdmissionPlace {
  readonly cluster: Cluster;
  readonly namespace: string;
}

/** A rule as admission configurations have it. */
export interface AdmissionRule {
  readonly apiGroups: readonly string[];
  readonly apiVersions: readonly string[];
  readonly operations: readonly ("CREATE" | "UPDATE")[];
  readonly resources: readonly string[];
}

/** Creation of pods. */
export const podCreation: AdmissionRule = {
  ...{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods"] },
};
/** Change of Deployments, by patch or update. */
export const deploymentChange: AdmissionRule = {
  ...{ apiGroups: ["apps"], apiVersions: ["v1"], operations: ["UPDATE"], resources: ["deployments"] },
};

/** What it refuses, and how. */
export interface PolicyWish {
  readonly rule: AdmissionRule;
  /** CEL; false refuses. */
  readonly expression: string;
  readonly message: string;
  /** Tries what the policy refuses, changing nothing. */
  readonly probe: () => Promise<unknown>;
}

/** The API group of policies and webhooks. */
export const admissionGroup = "admissionregistration.k8s.io";
const wait = { timeoutMs: 30_000, intervalMs: 200 };

/** A ValidatingAdmissionPolicy with its binding, once it is enforced. Disposing removes both. */
export async function openPolicy(place: AdmissionPlace, wish: PolicyWish): Promise<AsyncDisposable> {
  const { cluster, namespace } = place;
  const name = `localizer-test-${randomBytes(4).toString("hex")}`;
  const { rule, expression, message } = wish;
  await using stack = new AsyncDisposableStack();
  for (const kind of ["validatingadmissionpolicy", "validatingadmissionpolicybinding"]) {
    stack.defer(async () => void (await cluster.kubectl(["delete", kind, name, "--ignore-not-found"])));
  }
  const policy = {
    apiVersion: `${admissionGroup}/v1`,
    kind: "ValidatingAdmissionPolicy",
    metadata: { name },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: { resourceRules: [rule] },
      validations: [{ expression, message }],
    },
  };
  const binding = {
    apiVersion: `${admissionGroup}/v1`,
    kind: "ValidatingAdmissionPolicyBinding",
    metadata: { name },
    spec: {
      policyName: name,
      validationActions: ["Deny"],
      matchResources: { namespaceSelector: onlyIn(namespace) },
    },
  };
  await cluster.apply([policy, binding]);
  await waitFor(`policy "${message}" to be enforced`, () => isRefused(wish.probe, message), wait);
  return stack.move();
}

/** A quota of exactly the pods that there are, once it counts. Disposing removes it. */
export async function exhaustPodQuota({ cluster, namespace }: AdmissionPlace): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const pods = (await cluster.kubectl(["get", "pods", "-n", namespace, "-o", "name"])).trim().split("\n").length;
  stack.defer(async () => {
    await cluster.kubectl(["delete", "resourcequota", "full", "-n", namespace, "--ignore-not-found"]);
  });
  const metadata = { name: "full", namespace };
  await cluster.apply([{ apiVersion: "v1", kind: "ResourceQuota", metadata, spec: { hard: { pods: String(pods) } } }]);
  const used = ["get", "resourcequota", "full", "-n", namespace, "-o", "jsonpath={.status.used.pods}"];
  await waitFor("the quota to count", async () => (await cluster.kubectl(used)) === String(pods), wait);
  return stack.move();
}

/** Selects this namespace and no other. */
export function onlyIn(namespace: string): object {
  return { matchLabels: { "kubernetes.io/metadata.name": namespace } };
}

/** Whether what is tried is refused in these words; throws what else comes of it but success. */
export async function isRefused(attempt: () => Promise<unknown>, message: string): Promise<boolean> {
  try {
    await attempt();
    return false;
  } catch (error) {
    if (error instanceof CommandError && error.stderr.includes(message)) return true;
    throw error;
  }
}
