/** A project of somebody else's that has installed the package from its tarball. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ours = join(import.meta.dirname, "../..");

/** Where it is; gone when disposed. */
export interface InstalledProject extends Disposable {
  readonly folder: string;
  /** Writes one of its files. */
  readonly write: (name: string, text: string) => void;
}

/** Packs localizer and installs the package into a new project. Takes some ten seconds. */
export function installIntoProject(): InstalledProject {
  const temporary = temporaryFolder();
  try {
    const { path } = temporary;
    npm(["pack", "--pack-destination", path], ours);
    const [tarball] = readdirSync(path).filter((name) => name.endsWith(".tgz"));
    if (tarball === undefined) throw new Error("npm pack made no package");
    const folder = join(path, "project");
    mkdirSync(folder);
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    write("package.json", JSON.stringify({ name: "somebodys", private: true, type: "module" }));
    npm(["install", "--ignore-scripts", join(path, tarball)], folder);
    return { folder, write, [Symbol.dispose]: () => temporary[Symbol.dispose]() };
  } catch (error) {
    temporary[Symbol.dispose]();
    throw error;
  }
}

function npm(args: readonly string[], cwd: string): void {
  execFileSync("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd,
    stdio: ["ignore", "ignore", "pipe"],
  });
}
