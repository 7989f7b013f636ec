/** Reads hosts files (hosts(5)). Pure. */

/** The address of each name; of a name with several the last. */
export function readHosts(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").map((line) => line.replace(/#.*/, "").trim().split(/\s+/));
  return new Map(lines.flatMap(([address = "", ...names]) => names.map((name) => [name, address] as const)));
}
