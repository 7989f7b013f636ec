/** Reads what a client wrote into an object, without trusting its shape. Pure. */

/** The value at the path, or undefined when a step is missing. Steps into arrays are not made. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, step)) return undefined;
    current = Reflect.get(current, step);
  }
  return current;
}

/** The string at the path; the empty one is undefined. */
export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === "string" && found !== "" ? found : undefined;
}

/** The number at the path. */
export function numberAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  return typeof found === "number" ? found : undefined;
}

/** The array at the path; empty when there is none. */
export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** The strings of the object at the path; undefined when there is no object. */
export function textsAt(value: unknown, ...path: readonly string[]): Readonly<Record<string, string>> | undefined {
  const found = at(value, ...path);
  if (typeof found !== "object" || found === null || Array.isArray(found)) return undefined;
  const isText = (entry: [string, unknown]): entry is [string, string] => typeof entry[1] === "string";
  return Object.fromEntries(Object.entries(found).filter(isText));
}
