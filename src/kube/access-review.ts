/** What the API server lets us do, asked beforehand (authorization.k8s.io/v1 SelfSubjectAccessReview). */
import { codeOf, LocalizerError } from "../errors.ts";
import type { ApiClient } from "./api-client.ts";
import { fewAtOnce } from "./few-at-once.ts";
import { flagAt, textAt } from "./json.ts";

/** One thing that one may or may not do in a namespace. */
export interface Right {
  readonly verb: string;
  /** Empty for the core group. */
  readonly group: string;
  /** "pods" */
  readonly resource: string;
  /** "portforward" */
  readonly subresource?: string;
  readonly namespace: string;
}

/** What could be found out; rights that stand in neither are there. */
export interface AccessAnswer {
  readonly denied: readonly Right[];
  /** No answer could be had for these: they may be there. */
  readonly unknown: readonly { readonly right: Right; readonly reason: LocalizerError }[];
}

const path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const reviewsAtOnce = 8;

/** Asks for each right. @throws LocalizerError `aborted` */
export async function reviewAccess(
  client: Pick<ApiClient, "request">,
  rights: readonly Right[],
  signal?: AbortSignal,
): Promise<AccessAnswer> {
  const denied: Right[] = [];
  const unknown: AccessAnswer["unknown"][number][] = [];
  const answers = await fewAtOnce(rights, reviewsAtOnce, (right) => review(client, right, signal));
  for (const [index, right] of rights.entries()) {
    const answer = answers[index];
    if (answer === false) denied.push(right);
    else if (answer instanceof LocalizerError) unknown.push({ right, reason: answer });
  }
  return { denied, unknown };
}

/** `pods/portforward`, `deployments.apps`: as kubectl writes them. Pure. */
export function resourceName({ group, resource, subresource }: Omit<Right, "verb" | "namespace">): string {
  return `${resource}${group === "" ? "" : `.${group}`}${subresource === undefined ? "" : `/${subresource}`}`;
}

async function review(
  client: Pick<ApiClient, "request">,
  resourceAttributes: Right,
  signal: AbortSignal | undefined,
): Promise<boolean | LocalizerError> {
  try {
    const body = {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes },
    };
    const answer = await client.request({ method: "POST", path, body, signal });
    if (flagAt(answer, "status", "allowed") ?? false) return true;
    // The error of one authorizer, which might have said yes. An RBAC binding that leads nowhere is no such error.
    const evaluationError = textAt(answer, "status", "evaluationError");
    if (evaluationError === undefined || flagAt(answer, "status", "denied") === true) return false;
    return new LocalizerError(
      "unavailable",
      `Cannot review the right to ${describe(resourceAttributes)}: ${evaluationError}`,
    );
  } catch (error) {
    if (codeOf(error) === "aborted") throw error;
    return LocalizerError.from(error);
  }
}

function describe(right: Right): string {
  return `${right.verb} ${resourceName(right)} in namespace "${right.namespace}"`;
}
