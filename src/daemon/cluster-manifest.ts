/** `localizer cluster manifest`: the text of what puts forgotten exposures back in the cluster itself. Asks no cluster. */
import { type ReaperPlan, reaperImage, reaperManifest, reaperNamespace } from "../expose/reaper-manifest.ts";
import { manifestText } from "../kube/manifest-text.ts";

/** What was chosen; the rest is by default. */
export interface ManifestWish extends Omit<ReaperPlan, "namespace" | "image"> {
  readonly namespace?: string | undefined;
  readonly image?: string | undefined;
}

/** What is loaded by the command, and not before. */
export type PrintManifest = (wish: ManifestWish) => string;

/** Documents of YAML below a comment that says what they are, and what has to be there before. */
export const clusterManifest: PrintManifest = (wish) => {
  const { namespace = reaperNamespace, image = reaperImage(wish.version), watched } = wish;
  const where = watched.length === 0 ? "all namespaces" : `the namespaces ${watched.join(", ")}`;
  const needed = [...new Set([...(namespace === reaperNamespace ? [] : [namespace]), ...watched])];
  const comment = [
    `Puts back, in ${where}, what exposures of localizer have changed whose owners`,
    `give no sign of life for ${wish.grace} longer than they promised. Install it with "kubectl apply -f -".`,
    "",
    ...(needed.length === 0 ? [] : [`These namespaces have to exist: ${needed.join(", ")}.`, ""]),
    "It scales Deployments, StatefulSets, ReplicaSets and ReplicationControllers. For a custom resource with",
    "a scale subresource print it with --kind, such as --kind rollouts.argoproj.io.",
    "It reads no Secrets: a session's Secret is removed by the garbage collector.",
  ];
  return manifestText(comment, reaperManifest({ ...wish, namespace, image }));
};
