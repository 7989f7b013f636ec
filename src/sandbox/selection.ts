/** Which objects a list or a watch is about, by its query. Pure. */
import type { ApiCall } from "./api-call.ts";
import type { ApiObject } from "./api-object.ts";
import { parseLabelSelector } from "./label-selector.ts";
import { badRequest } from "./status.ts";

/** Says whether an object belongs to it. */
export type Selection = (object: ApiObject) => boolean;

/**
 * Reads namespace, `labelSelector` and `fieldSelector` (of `metadata.name` and `metadata.namespace`).
 * @throws Refusal 400 when one of them cannot be read
 */
export function selectionOf({ namespace, http }: Pick<ApiCall, "namespace" | "http">): Selection {
  const matchesLabels = parseLabelSelector(http.query.get("labelSelector") ?? "");
  const matchesFields = parseFieldSelector(http.query.get("fieldSelector") ?? "");
  return (object) =>
    (namespace === undefined || object.metadata.namespace === namespace) &&
    matchesLabels(object.metadata.labels ?? {}) &&
    matchesFields(object);
}

function parseFieldSelector(text: string): Selection {
  const tests = text
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part): Selection => {
      const { field, sign, value } = /^(?<field>[^=!]+)(?<sign>==?|!=)(?<value>.*)$/.exec(part.trim())?.groups ?? {};
      if (field !== "metadata.name" && field !== "metadata.namespace") {
        throw badRequest(
          `"${field ?? part}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
        );
      }
      const read = ({ metadata }: ApiObject) =>
        field === "metadata.name" ? metadata.name : (metadata.namespace ?? "");
      return (object) => (read(object) === value) === (sign !== "!=");
    });
  return (object) => tests.every((test) => test(object));
}
