/** Objects as the text that `kubectl apply -f -` takes. Pure. */
import { stringify } from "yaml";

/** Documents of YAML, one an object, below the lines of a comment. What kubectl could take for no string is quoted. */
export function manifestText(comment: readonly string[], objects: readonly object[]): string {
  const head = comment.map((line) => `${`# ${line}`.trimEnd()}\n`).join("");
  // kubectl reads YAML 1.1, where "on", "1_0" and "12:30" are no strings.
  const options = { version: "1.1", aliasDuplicateObjects: false, lineWidth: 0 } as const;
  return `${head}${objects.map((object) => `---\n${stringify(object, options)}`).join("")}`;
}
