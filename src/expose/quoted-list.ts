/** Names in a sentence. */

/** `"a", "b" and 7 more`; pure. */
export function quotedList(names: readonly string[], atMost = 5): string {
  return shortList(
    names.map((name) => `"${name}"`),
    atMost,
  );
}

/** `a, b and c`; pure. */
export function fullList(names: readonly string[]): string {
  const last = names.at(-1) ?? "";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}

/** `a, b and 7 more`; pure. */
export function shortList(names: readonly string[], atMost = 5): string {
  const more = names.length - atMost;
  return more > 0 ? `${names.slice(0, atMost).join(", ")} and ${more} more` : names.join(", ");
}
