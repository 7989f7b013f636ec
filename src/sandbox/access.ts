/** Who may do what: a rule handed to the simulated API server, asked for every call and by access reviews. */
import type { ApiCall, HttpRequest } from "./api-call.ts";
import { at, textAt } from "./json.ts";
import { isObject } from "./merge-patch.ts";
import { badRequest, methodNotAllowed, Refusal } from "./status.ts";

/** What somebody wants to do, as roles name it. */
export interface AccessAttempt {
  readonly verb: string;
  /** Empty for the core group. */
  readonly group: string;
  /** `deployments` */
  readonly resource: string;
  /** `scale`, `portforward`, … */
  readonly subresource: string | undefined;
  /** Undefined for all namespaces, and for kinds without. */
  readonly namespace: string | undefined;
  /** Undefined for a collection, and for a review that asks about any. */
  readonly name: string | undefined;
}

/** Says whether it is allowed. The request tells who asks. */
export type AccessRule = (attempt: AccessAttempt, http: HttpRequest) => boolean;

/** Path of the reviews in which a client asks about itself. */
export const reviewPath = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/** The attempt that a call is. */
export function attemptOf({ verb, resource, subresource, namespace, name }: ApiCall): AccessAttempt {
  return { verb, group: resource.group, resource: resource.plural, subresource, namespace, name };
}

/**
 * Answers a SelfSubjectAccessReview by the rule.
 * @throws Refusal 405 for another method, 400 and 422 for a body that asks nothing
 */
export function reviewAccess(http: HttpRequest, rule: AccessRule): unknown {
  if (http.method !== "POST") throw methodNotAllowed();
  const review = readReview(http.body);
  const spec = at(review, "spec");
  const wanted = at(spec, "resourceAttributes");
  if (!isObject(wanted) && !isObject(at(spec, "nonResourceAttributes"))) {
    const field = "spec.resourceAttributes";
    const why = "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified";
    const details = { group: "authorization.k8s.io", causes: [{ message: why, field }] };
    throw new Refusal(422, "Invalid", `.authorization.k8s.io "" is invalid: ${field}: ${why}`, details);
  }
  const allowed = !isObject(wanted) || rule(readAttempt(wanted), http);
  return {
    kind: "SelfSubjectAccessReview",
    apiVersion: "authorization.k8s.io/v1",
    metadata: {},
    spec,
    status: { allowed },
  };
}

function readAttempt(wanted: unknown): AccessAttempt {
  return {
    verb: textAt(wanted, "verb") ?? "",
    group: textAt(wanted, "group") ?? "",
    resource: textAt(wanted, "resource") ?? "",
    subresource: textAt(wanted, "subresource"),
    namespace: textAt(wanted, "namespace"),
    name: textAt(wanted, "name"),
  };
}

function readReview(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badRequest(`the review is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}
