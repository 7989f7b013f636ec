/** Debian's packages unpacked into a folder: their programs can be run from there, and nothing is installed on this machine. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./run-command.ts";

/** Downloads the packages of these names and unpacks them. @throws Error when one cannot be had; the signal's reason */
export async function unpackPackages(
  names: readonly string[],
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const download = () => runCommand("apt-get", ["-q", "download", ...names], { cwd: folder, signal });
  try {
    // The lists of a machine that was installed long ago name versions that the archive no longer has, or are missing.
    await download().catch(async () => {
      await runCommand("apt-get", ["-q", "-o", "DPkg::Lock::Timeout=120", "update"], { signal });
      await download();
    });
    for (const name of (await readdir(folder)).filter((file) => file.endsWith(".deb"))) {
      await runCommand("dpkg", ["-x", join(folder, name), folder], { signal });
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw new Error(`Cannot fetch ${names.join(", ")}`, { cause: error });
  }
}
