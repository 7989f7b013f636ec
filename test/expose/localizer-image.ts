/** An image of localizer from what is here: the compiled package, the dependencies that it is published with, and this machine's Node. */
import { existsSync } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { at, textsAt } from "../../src/kube/json.ts";
import { buildPackage } from "../bench/built-package.ts";
import type { Image } from "../cluster/image-archive.ts";
import { runCommand } from "../cluster/run-command.ts";
import { filesBelow } from "../cluster/sshd-files.ts";
import type { TarEntry } from "../cluster/tar.ts";

const project = join(import.meta.dirname, "..", "..");
const home = "opt/localizer";

/** Has no users, no shell and no folder but those of its files; runs as root unless the pod says otherwise. */
export async function localizerImage(name: string): Promise<Image> {
  await using built = await buildPackage();
  const dist = dirname(dirname(built.program));
  const files: TarEntry[] = [
    file("bin/node", await readFile(built.node), 0o755),
    file(`${home}/package.json`, await readFile(join(project, "package.json"))),
  ];
  for (const [path, content] of await filesBelow(dist)) files.push(file(`${home}/dist/${path}`, content));
  for (const [path, library] of await librariesOf(built.node)) files.push(file(path, await readFile(library), 0o755));
  for (const name of await publishedDependencies()) {
    for (const [path, content] of await filesBelow(join(project, "node_modules", name))) {
      if (/\.(js|cjs|mjs|json)$/.test(path)) files.push(file(`${home}/node_modules/${name}/${path}`, content));
    }
  }
  return { name, files, entrypoint: ["/bin/node", `/${home}/dist/bin/localizer.js`] };
}

function file(path: string, content: Uint8Array, mode = 0o644): TarEntry {
  return { type: "file", path, mode, content };
}

/** What the program loads, where it looks for it. */
async function librariesOf(program: string): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  // Each line names a file by its whole path, the loader's too.
  for (const [, path = ""] of (await runCommand("ldd", [program])).matchAll(/(?:=> |^\s*)(\/\S+) \(/gm)) {
    found.set(path.slice(1), await realpath(path));
  }
  return found;
}

/** Names of the packages that come with localizer, without optional ones. All lie side by side. */
async function publishedDependencies(): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  const add = async (folder: string): Promise<void> => {
    const manifest: unknown = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const optional = textsAt(manifest, "optionalDependencies");
    for (const name of Object.keys(Object(at(manifest, "dependencies")))) {
      const place = join(project, "node_modules", name);
      if (names.has(name) || name in optional) continue;
      if (!existsSync(place)) throw new Error(`Cannot make an image of localizer: there is no package "${name}"`);
      names.add(name);
      await add(place);
    }
  };
  await add(project);
  return names;
}
