/** What an object may not say, in the words of Kubernetes' validation. Pure. */
import type { ApiObject, ResourceDefinition } from "./api-object.ts";
import { at, listAt, numberAt, textAt, textsAt } from "./json.ts";
import { matchesSelector } from "./object-selector.ts";
import { invalid } from "./status.ts";

const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

/**
 * Labels, owners, and of what can be scaled how many and which.
 * @throws Refusal 422
 */
export function checkObject(resource: ResourceDefinition, object: ApiObject): void {
  const { name } = object.metadata;
  const refuse = (field: string, why: string) => {
    throw invalid(resource, name, field, why);
  };
  for (const value of Object.values(object.metadata.labels ?? {})) {
    if (value.length > 63) refuse("metadata.labels", `Invalid value: "${value}": must be no more than 63 characters`);
    if (!labelValue.test(value)) {
      const form = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
      const why = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '${form}')`;
      refuse("metadata.labels", `Invalid value: "${value}": ${why}`);
    }
  }
  const owners = listAt(object, "metadata", "ownerReferences");
  for (const owner of owners) {
    if (textAt(owner, "uid") === undefined) {
      refuse("metadata.ownerReferences.uid", 'Invalid value: "": must not be empty');
    }
  }
  const controllers = owners.filter((owner) => at(owner, "controller") === true);
  if (controllers.length > 1) {
    const names = controllers.map((owner) => `${textAt(owner, "kind")}/${textAt(owner, "name")}`).join(" and ");
    const why = `Only one reference can have Controller set to true. Found "true" in references for ${names}`;
    refuse("metadata.ownerReferences", `Invalid value: ${JSON.stringify(owners)}: ${why}`);
  }
  if (resource.scale === true) checkScaled(object, refuse);
}

function checkScaled(object: ApiObject, refuse: (field: string, why: string) => void): void {
  const replicas = numberAt(object, "spec", "replicas");
  if (replicas !== undefined && replicas < 0) {
    refuse("spec.replicas", `Invalid value: ${replicas}: must be greater than or equal to 0`);
  }
  const labels = textsAt(object, "spec", "template", "metadata", "labels");
  const selector = at(object, "spec", "selector");
  if (labels === undefined || selector === undefined || matchesSelector(selector, labels)) return;
  const why = `Invalid value: ${JSON.stringify(labels)}: \`selector\` does not match template \`labels\``;
  refuse("spec.template.metadata.labels", why);
}
