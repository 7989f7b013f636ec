/** The order in which Services are printed. Pure. */

interface Named {
  readonly namespace: string;
  readonly name: string;
}

/** By bytes, not by the reader's language: the same on every machine. */
export function byName(a: Named, b: Named): number {
  return compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
