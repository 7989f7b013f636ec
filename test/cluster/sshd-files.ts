/**
 * The files of an image that runs Debian's sshd: the package's, a shell and two tools, and the libraries that all of them load.
 * Fetched once and kept outside the work tree, as what is built from Go modules is; nothing is installed on this machine.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, realpath, rm } from "node:fs/promises";
import { arch } from "node:os";
import { dirname, join, relative } from "node:path";
import { cachedFolder } from "./build-cache.ts";
import { unpackPackages } from "./debian-packages.ts";
import { findExecutable } from "./packages.ts";
import { runCommand } from "./run-command.ts";

/** Fetched, for a machine seldom has them: the server, and its one library that nothing else needs. */
const packages = ["openssh-server", "libwrap0"] as const;

/** Taken from this machine, which is a Debian: dash as `/bin/sh`, and what probes and tests call. */
const tools = { "bin/sh": "dash", "bin/grep": "grep", "bin/cat": "cat" } as const;

/** Fetches unless it has been fetched, and returns the folder that holds the image's files. */
export async function sshdFiles(log: (line: string) => void, signal?: AbortSignal): Promise<string> {
  return cachedFolder(`sshd-${await hashInputs()}`, async (folder) => {
    log("Fetching Debian's sshd for the test cluster");
    const fetched = join(folder, "fetched");
    await mkdir(fetched, { recursive: true });
    await unpackPackages(packages, fetched, signal);
    const server = join(fetched, "usr/sbin/sshd");
    await copy(server, join(folder, "usr/sbin/sshd"));
    const programs = [server];
    for (const [path, name] of Object.entries(tools)) {
      const program = await findExecutable(name);
      if (program === undefined) throw new Error(`Cannot make an image of sshd: there is no ${name} on PATH`);
      await copy(program, join(folder, path));
      programs.push(program);
    }
    for (const [path, file] of await libraries(programs, fetched, signal)) await copy(file, join(folder, path));
    await rm(fetched, { recursive: true });
  });
}

/** What the programs load: path in the image, and the file here. All lie beside libc, where the loader looks without a cache. */
async function libraries(
  programs: readonly string[],
  fetched: string,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> {
  const folders = await libraryFolders(fetched);
  const env = { ...process.env, LD_LIBRARY_PATH: folders.join(":") };
  const found = new Map<string, string>();
  for (const program of programs) {
    const text = await runCommand("ldd", [program], { env, signal });
    const missing = /^\s*(\S+) => not found/m.exec(text)?.[1];
    if (missing !== undefined) throw new Error(`Cannot make an image of sshd: no library ${missing} for ${program}`);
    const libc = /libc\.so\.\d+ => (\S+)/.exec(text)?.[1];
    if (libc === undefined) throw new Error(`Cannot make an image of sshd: ${program} loads no libc`);
    for (const [, name = "", file = ""] of text.matchAll(/^\s*(\S+) => (\/\S+)/gm)) {
      found.set(join(dirname(libc), name).slice(1), file);
    }
    // The loader itself stands where the program's header says.
    for (const [, file = ""] of text.matchAll(/^\s*(\/\S+) \(/gm)) found.set(file.slice(1), file);
  }
  return found;
}

async function libraryFolders(fetched: string): Promise<string[]> {
  const files = await readdir(fetched, { recursive: true });
  return [...new Set(files.filter((file) => /\.so\.\d/.test(file)).map((file) => join(fetched, dirname(file))))];
}

async function copy(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(await realpath(from), to);
}

async function hashInputs(): Promise<string> {
  const system = await readFile("/etc/os-release", "utf8").catch(() => "");
  const source = await readFile(import.meta.filename, "utf8");
  return createHash("sha256")
    .update(JSON.stringify([arch(), system, source]))
    .digest("hex")
    .slice(0, 12);
}

/** Every file below the folder by its path in it. */
export async function filesBelow(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const files = new Map<string, Buffer>();
  for (const path of paths.sort()) files.set(relative(folder, path), await readFile(path));
  return files;
}
