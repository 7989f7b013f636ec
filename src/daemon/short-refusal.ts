/** The API server's refusal of a port-forward, short enough to stand at each service of a namespace. Pure. */
import { LocalizerError } from "../errors.ts";

/** What RBAC says in its sentence, after the pod's and the user's name (apiserver `handlers/responsewriters/errors.go`). */
const missingRight = /cannot \w+ resource "[^"]+"/;

/** One sentence that names no pod. A refusal that is not RBAC's may hold anything and stays as it is. */
export function shortRefusal(namespace: string, error: LocalizerError): LocalizerError {
  const [right] = missingRight.exec(error.message) ?? [];
  if (right === undefined) return error;
  return new LocalizerError(error.code, `You ${right} in "${namespace}"`, { cause: error });
}
