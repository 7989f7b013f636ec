/** The documents in which an API server says what it has (Kubernetes API concepts, "API discovery", unaggregated). Pure. */
import { apiVersionOf, type ResourceDefinition } from "./api-object.ts";
import { unknownResource } from "./status.ts";

const objectVerbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
const podSubresources = [{ name: "portforward", kind: "PodPortForwardOptions", verbs: ["create", "get"] }];
const reviews = { group: "authorization.k8s.io", version: "v1" };

/**
 * The document of that path, or undefined when the path is of none.
 * @throws Refusal 404 when the group does not have that version
 */
export function discoveryDocument(path: string, resources: readonly ResourceDefinition[]): unknown {
  const [, root, group, version, ...rest] = path.replace(/\/$/, "").split("/");
  if (rest.length > 0) return undefined;
  if (root === "api") {
    if (group === undefined) return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] };
    return group === "v1" && version === undefined ? resourceList("", "v1", resources) : undefined;
  }
  if (root !== "apis") return undefined;
  const groups = groupsOf(resources);
  if (group === undefined) return { kind: "APIGroupList", apiVersion: "v1", groups: [...groups.values()] };
  const found = groups.get(group);
  if (found === undefined || version === undefined) {
    return found === undefined ? undefined : { kind: "APIGroup", apiVersion: "v1", ...found };
  }
  if (!found.versions.some((one) => one.version === version)) throw unknownResource();
  return resourceList(group, version, resources);
}

interface Group {
  readonly name: string;
  readonly versions: readonly { readonly groupVersion: string; readonly version: string }[];
  readonly preferredVersion: { readonly groupVersion: string; readonly version: string };
}

function groupsOf(resources: readonly ResourceDefinition[]): ReadonlyMap<string, Group> {
  const groups = new Map<string, Group>();
  for (const { group, version } of [...resources, reviews]) {
    if (group === "") continue;
    const one = { groupVersion: apiVersionOf({ group, version }), version };
    const known = groups.get(group) ?? { name: group, versions: [], preferredVersion: one };
    const isNew = known.versions.every((other) => other.version !== version);
    groups.set(group, { ...known, versions: isNew ? [...known.versions, one] : known.versions });
  }
  return groups;
}

function resourceList(group: string, version: string, resources: readonly ResourceDefinition[]): unknown {
  const served = resources.filter((resource) => resource.group === group && resource.version === version);
  const review = {
    name: "selfsubjectaccessreviews",
    singularName: "selfsubjectaccessreview",
    namespaced: false,
    kind: "SelfSubjectAccessReview",
    verbs: ["create"],
  };
  const isReviews = group === reviews.group && version === reviews.version;
  return {
    kind: "APIResourceList",
    // The core group's list says no apiVersion, as the real one.
    ...(group === "" ? {} : { apiVersion: "v1" }),
    groupVersion: apiVersionOf({ group, version }),
    resources: [...served.flatMap(entriesOf), ...(isReviews ? [review] : [])],
  };
}

function entriesOf(resource: ResourceDefinition): readonly unknown[] {
  const { plural, kind, namespaced, scale, group } = resource;
  const main = { name: plural, singularName: kind.toLowerCase(), namespaced, kind, verbs: objectVerbs };
  const ofScale = {
    name: `${plural}/scale`,
    singularName: "",
    namespaced,
    group: "autoscaling",
    version: "v1",
    kind: "Scale",
    verbs: ["get", "patch", "update"],
  };
  const isPods = group === "" && plural === "pods";
  const others = isPods
    ? podSubresources.map((one) => ({ ...one, name: `${plural}/${one.name}`, singularName: "", namespaced }))
    : [];
  return [main, ...(scale === true ? [ofScale] : []), ...others];
}
