/** `$(NAME)` in values of variables, as the kubelet replaces it (kubernetes third_party/forked/golang/expansion). Pure. */

/** A value with its references replaced, and the names of those that stand for something unknown. */
export interface Expanded {
  readonly value: string;
  readonly unknown: readonly string[];
}

/**
 * Replaces `$(NAME)`; `$$` is a dollar. What `lookup` gives undefined for stays as it is; `"unknown"` there is a value that exists and cannot be
 * told.
 */
export function expandReferences(
  text: string,
  lookup: (name: string) => { readonly value: string } | "unknown" | undefined,
): Expanded {
  const unknown: string[] = [];
  const value = text.replace(/\$(?:\$|\(([^)]*)\))/g, (whole: string, name?: string) => {
    if (name === undefined) return "$";
    const found = lookup(name);
    if (found === undefined) return whole;
    if (found === "unknown") {
      unknown.push(name);
      return whole;
    }
    return found.value;
  });
  return { value, unknown };
}
