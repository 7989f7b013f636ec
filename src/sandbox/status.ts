/** How the API server says no: Status objects (meta/v1), in the words of Kubernetes' apimachinery pkg/api/errors. Pure. */
import { qualifiedName, type ResourceDefinition } from "./api-object.ts";

/** An answer that is no success. Thrown inside the sandbox only, and sent to the client. */
export class Refusal extends Error {
  /** The HTTP status. */
  readonly code: number;
  readonly body: Readonly<Record<string, unknown>>;

  constructor(code: number, reason: string, message: string, details?: Readonly<Record<string, unknown>>) {
    super(message);
    this.code = code;
    const named = { ...(reason === "" ? {} : { reason }), ...(details === undefined ? {} : { details }) };
    this.body = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, ...named, code };
  }

  /** How long the client shall wait before it asks again, if the server says so. */
  get retryAfterSeconds(): number | undefined {
    const { details } = this.body;
    const seconds: unknown = details instanceof Object ? Reflect.get(details, "retryAfterSeconds") : undefined;
    return typeof seconds === "number" ? seconds : undefined;
  }
}

type Named = Pick<ResourceDefinition, "group" | "plural">;

/** 400. */
export function badRequest(message: string): Refusal {
  return new Refusal(400, "BadRequest", message);
}

/** 404 for an object. */
export function notFound(resource: Named, name: string): Refusal {
  return new Refusal(404, "NotFound", `${qualifiedName(resource)} "${name}" not found`, detailsOf(resource, name));
}

/** 404 for a path that is none. */
export function unknownResource(): Refusal {
  return new Refusal(404, "NotFound", "the server could not find the requested resource", {});
}

/** 405. */
export function methodNotAllowed(): Refusal {
  return new Refusal(405, "MethodNotAllowed", "the server does not allow this method on the requested resource", {});
}

/** 409 for a name that is taken. */
export function alreadyExists(resource: Named, name: string): Refusal {
  const message = `${qualifiedName(resource)} "${name}" already exists`;
  return new Refusal(409, "AlreadyExists", message, detailsOf(resource, name));
}

/** How a conflict's sentence ends when somebody else was first. */
export const changed = "the object has been modified; please apply your changes to the latest version and try again";

/** 409 for a change of something that has changed meanwhile; `why` ends the sentence. */
export function conflict(resource: Named, name: string, why: string): Refusal {
  const message = `Operation cannot be fulfilled on ${qualifiedName(resource)} "${name}": ${why}`;
  return new Refusal(409, "Conflict", message, detailsOf(resource, name));
}

/** 410 for a version that is forgotten: as an HTTP status, or inside an ERROR event. */
export function expired(version: number, oldest: number): Refusal {
  return new Refusal(410, "Expired", `too old resource version: ${version} (${oldest})`);
}

/** 422. */
export function invalid({ group, kind }: ResourceDefinition, name: string, field: string, why: string): Refusal {
  const qualified = group === "" ? kind : `${kind}.${group}`;
  const details = { ...(name === "" ? {} : { name }), kind, causes: [{ message: why, field }] };
  return new Refusal(422, "Invalid", `${qualified} "${name}" is invalid: ${field}: ${why}`, details);
}

/** 504 for a list that asks for a version that does not exist yet. */
export function tooLargeVersion(version: number, current: number): Refusal {
  const causes = [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }];
  const message = `Timeout: Too large resource version: ${version}, current: ${current}`;
  return new Refusal(504, "Timeout", message, { causes, retryAfterSeconds: 1 });
}

/** 401. */
export function unauthorized(): Refusal {
  return new Refusal(401, "Unauthorized", "Unauthorized");
}

/** What somebody wanted to do, for the sentence of a 403. */
export interface Attempt {
  readonly verb: string;
  readonly resource: Named;
  readonly subresource?: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/** 403, in the words of the RBAC authorizer. */
export function forbidden({ verb, resource, subresource, namespace, name }: Attempt, user: string): Refusal {
  const where = namespace === undefined ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const to = subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
  const what = name === undefined ? "" : ` "${name}"`;
  const message = `${qualifiedName(resource)}${what} is forbidden: User "${user}" cannot ${verb} resource "${to}" in API group "${resource.group}" ${where}`;
  return new Refusal(403, "Forbidden", message, detailsOf(resource, name));
}

/** 403, as an admission plug-in says it: a quota, a policy. `why` ends the sentence. */
export function denied(resource: Named, name: string, why: string): Refusal {
  const message = `${qualifiedName(resource)} "${name}" is forbidden: ${why}`;
  return new Refusal(403, "Forbidden", message, detailsOf(resource, name));
}

/** 429; the server is busy. */
export function tooManyRequests(retryAfterSeconds: number): Refusal {
  const message = "the server has received too many requests and has asked us to try again later";
  return new Refusal(429, "TooManyRequests", message, { retryAfterSeconds });
}

function detailsOf({ group, plural }: Named, name: string | undefined): Readonly<Record<string, unknown>> {
  return { ...(name === undefined ? {} : { name }), ...(group === "" ? {} : { group }), kind: plural };
}
