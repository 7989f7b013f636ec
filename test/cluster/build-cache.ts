/**
 * What the test cluster is made of is made once and kept outside the work tree, a folder each, named by what went in. Making
 * that is interrupted leaves nothing that looks finished.
 */
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { identify } from "./detached-process.ts";

/** Returns the folder of that name in the cache; when it is not there `fill` gets an empty one to put everything into. */
export async function cachedFolder(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const { XDG_CACHE_HOME = join(homedir(), ".cache") } = process.env;
  const cache = join(XDG_CACHE_HOME, "localizer-testcluster");
  const folder = join(cache, name);
  if (await isDirectory(folder)) return folder;
  await mkdir(cache, { recursive: true });
  await removeAbandoned(cache);

  const unfinished = join(cache, `unfinished-${process.pid}-${name}`);
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished);
  try {
    await fill(unfinished);
    await rename(unfinished, folder).catch(async (error: unknown) => {
      if (!(await isDirectory(folder))) throw error; // Else somebody was faster with the same.
    });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
  return folder;
}

/** Removes what killed programs have left behind. */
async function removeAbandoned(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const pid = /^unfinished-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && identify(Number(pid)) === undefined) {
      await rm(join(cache, name), { recursive: true, force: true });
    }
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
