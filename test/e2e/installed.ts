/**
 * The package as users install it: packed, then `npm install -g` into a folder that everybody can read, beside a Node
 * that everybody can run. The clone may lie below a folder that other users cannot enter.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../support/temporary-folder.ts";

const project = join(import.meta.dirname, "../..");

/** Where the installed program is. */
export interface Installed extends Disposable {
  /** Owned by root, readable by everybody. */
  readonly folder: string;
  readonly node: string;
  /** The `localizer` that stands in a PATH, and the PATH that finds it and the Node. */
  readonly localizer: string;
  readonly path: string;
}

/** Packs the project and installs the package. Takes some ten seconds. */
export function installPackage(): Installed {
  const temporary = temporaryFolder();
  const folder = temporary.path;
  try {
    chmodSync(folder, 0o755);
    npm(["pack", "--pack-destination", folder], project);
    const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
    if (tarball === undefined) throw new Error("npm pack made no package");
    const prefix = join(folder, "usr");
    npm(["install", "--global", "--prefix", prefix, "--ignore-scripts", join(folder, tarball)], folder);
    const bin = join(prefix, "bin");
    mkdirSync(bin, { recursive: true });
    const node = join(bin, "node");
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
    const localizer = join(bin, "localizer");
    const path = `${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
    return { folder, node, localizer, path, [Symbol.dispose]: () => temporary[Symbol.dispose]() };
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
