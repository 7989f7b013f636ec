/** Looking at what one may not be allowed to see: the answer "nothing was seen" is not "nothing is there". */
import { codeOf } from "../errors.ts";
import type { ApiResource } from "../kube/list-watch.ts";
import type { Objects } from "../kube/objects.ts";

/** The items of a list in a namespace; none where the server knows no such kind, undefined when they may not be listed. */
export async function listIfAllowed(
  objects: Pick<Objects, "list">,
  resource: ApiResource,
  namespace: string,
  signal: AbortSignal | undefined,
  { labelSelector }: { readonly labelSelector?: string } = {},
): Promise<readonly unknown[] | undefined> {
  const where = labelSelector === undefined ? { namespace } : { namespace, labelSelector };
  try {
    return await objects.list(resource, where, signal);
  } catch (error) {
    if (codeOf(error) === "denied") return undefined;
    if (codeOf(error) === "not-found") return [];
    throw error;
  }
}
