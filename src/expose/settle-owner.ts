/**
 * Makes a session's writes to an owner fail that may still be on their way, because whoever sent them was killed or has not waited
 * for the answer. Each is guarded by the version that was seen before, so it is enough that the owner gets another one.
 */
import { codeOf } from "../errors.ts";
import { at } from "../kube/json.ts";
import { headOf, type Objects } from "../kube/objects.ts";
import type { ScaledOwner, SeenOwner } from "./marked-owner.ts";
import { labels } from "./records.ts";

/**
 * Gives the owner another version than the one that was seen, and leaves it as it was. A patch that changes nothing gives none
 * (GuaranteedUpdate of the API server's etcd3 store), so a label comes and goes: unlike annotations it is not copied to ReplicaSets.
 * Takes it off, too, where an earlier time has not come to do so. Does nothing to an owner that refuses writes: it would refuse the others as well.
 * @throws LocalizerError `conflict` when it has changed since it was seen; else as the API
 */
export async function settleOwner(
  objects: Objects,
  owner: ScaledOwner,
  seen: Pick<SeenOwner, "resourceVersion" | "object">,
  options: { readonly signal?: AbortSignal },
): Promise<void> {
  const write = async (resourceVersion: string, value: string | null) => {
    const metadata = { uid: owner.uid, resourceVersion, labels: { [labels.settling]: value } };
    return headOf(await objects.patch(owner, { metadata }, options)).resourceVersion;
  };
  let version = seen.resourceVersion;
  if (at(seen.object, "metadata", "labels", labels.settling) === undefined) {
    try {
      version = await write(version, "true");
    } catch (error) {
      if (["denied", "internal", "not-found"].includes(codeOf(error))) return;
      throw error;
    }
  }
  await write(version, null);
}
