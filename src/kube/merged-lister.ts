/** Several listers read as one. Pure. */
import type { Lister } from "./store.ts";

/** A lister of all that the parts hold, which must have no key in common. It shows what they hold when it is asked. */
export function mergedLister<T>(parts: readonly Lister<T>[]): Lister<T> {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  return {
    get(key) {
      for (const part of parts) {
        const found = part.get(key);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    list: () => parts.flatMap((part) => part.list()),
    byIndex: (value) => parts.flatMap((part) => part.byIndex(value)),
  };
}
