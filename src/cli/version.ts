/** The version of this program, from the package.json next to its code, wherever that was installed to. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";

/** Walks up from `folder` to the nearest package.json and takes its version. */
export function version(folder: string = import.meta.dirname): string {
  const text = readIfThere(join(folder, "package.json"));
  if (text === undefined) {
    const parent = dirname(folder);
    if (parent === folder) throw new LocalizerError("internal", "Cannot find the version: there is no package.json");
    return version(parent);
  }
  const manifest: unknown = JSON.parse(text);
  const found: unknown =
    typeof manifest === "object" && manifest !== null ? Reflect.get(manifest, "version") : undefined;
  return typeof found === "string" ? found : "unknown";
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
