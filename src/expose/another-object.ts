/** What stands under an object's name now. */
import { codeOf } from "../errors.ts";
import { headOf, type ObjectRef, type Objects } from "../kube/objects.ts";

/** Says whether what was known by this uid is gone: another object has its name, or none has. Throws as the API. */
export async function isAnother(objects: Objects, ref: ObjectRef, uid: string, signal: AbortSignal): Promise<boolean> {
  try {
    return headOf(await objects.get(ref, signal)).uid !== uid;
  } catch (error) {
    if (codeOf(error) === "not-found") return true;
    throw error;
  }
}
