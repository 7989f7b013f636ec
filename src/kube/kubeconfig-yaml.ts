/** YAML as kubectl reads it (sigs.k8s.io/yaml, goyaml v2): its booleans, and its merge keys. */
import { type Document, isAlias, isScalar, isSeq, Pair, type ScalarTag, visit, YAMLMap, YAMLSeq } from "yaml";

/** The booleans of YAML 1.1, beside true and false. */
export const oldBoolean: ScalarTag = {
  identify: () => false,
  default: true,
  tag: "tag:yaml.org,2002:bool",
  test: /^(?:[Yy]|[Yy]es|YES|[Oo]n|ON|[Nn]|[Nn]o|NO|[Oo]ff|OFF)$/,
  resolve: (word) => /^(?:y|on$)/i.test(word),
};

/**
 * Orders the merge keys of the document. For kubectl what is merged takes the place of what stands before it in the same
 * map, though not of what stands behind; the library lets everything written out win. What stands before is therefore
 * made the last of the maps to merge.
 */
export function orderMergeKeys(document: Document): void {
  visit(document, {
    Map(_key, map) {
      if (map.items.some(({ key }, index) => index > 0 && isMergeKey(key))) reorder(document, map);
    },
  });
}

function reorder(document: Document, map: YAMLMap): void {
  let sources: unknown[] = [];
  let written: Pair[] = [];
  let merge: Pair | undefined;
  for (const item of map.items) {
    if (!isMergeKey(item.key)) {
      written.push(item);
      continue;
    }
    merge = item;
    const before = new YAMLMap();
    before.items = written;
    const given = isSeq(item.value) ? item.value.items : [item.value];
    // An alias must not come to stand before its anchor.
    const found = given.map((node) => (isAlias(node) ? (node.resolve(document) ?? node) : node));
    sources = [...found, before, ...sources];
    written = [];
  }
  if (merge === undefined) return;
  const list = new YAMLSeq();
  list.items = sources;
  map.items = [new Pair(merge.key, list), ...written];
}

/** The library gives a plain `<<` as a symbol. */
function isMergeKey(key: unknown): boolean {
  return isScalar(key) && typeof key.value === "symbol" && key.value.description === "<<";
}
