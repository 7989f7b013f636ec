/**
 * Sees that the machine has the programs the cluster is made of, and installs the Debian
 * packages of those it lacks. What is there already, from wherever, stays as it is.
 */
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { type RunOptions, runCommand } from "./run-command.ts";

/** Where Debian's package puts the network plugins; they are not on PATH. */
export const cniPluginDir = "/usr/lib/cni";

const needed = [
  { package: "containerd", file: "containerd" },
  { package: "runc", file: "runc" },
  { package: "containernetworking-plugins", file: join(cniPluginDir, "bridge") },
  { package: "iptables", file: "iptables" },
  { package: "iproute2", file: "ip" },
  { package: "openssl", file: "openssl" },
  { package: "util-linux", file: "nsenter" },
  // What the suites and the demo call names with.
  { package: "curl", file: "curl" },
] as const;

/** Installs what is missing. Throws when it cannot, naming the packages. */
export async function installPackages(log: (line: string) => void, signal?: AbortSignal): Promise<void> {
  const missing = await missingPackages();
  if (missing.length === 0) return;
  log(`Installing ${missing.join(", ")}`);
  const options: RunOptions = {
    signal,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    onErrorLine: (line) => log(`  ${line}`),
  };
  const wait = ["-q", "-o", "DPkg::Lock::Timeout=120"];
  try {
    await runCommand("apt-get", [...wait, "update"], options);
    // Never at the price of what somebody else installed: another containerd, say.
    await runCommand(
      "apt-get",
      [...wait, "install", "-y", "--no-install-recommends", "--no-remove", ...missing],
      options,
    );
  } catch (error) {
    throw new Error(`Cannot install ${missing.join(", ")}`, { cause: error });
  }
  const still = await missingPackages();
  if (still.length > 0) throw new Error(`Installed, but still not found: ${still.join(", ")}`);
}

async function missingPackages(): Promise<string[]> {
  const missing: string[] = [];
  for (const { package: name, file } of needed) {
    if ((await findExecutable(file)) === undefined) missing.push(name);
  }
  return missing;
}

/** Finds a program on PATH and in the system's own folders (or checks an absolute path); undefined when there is none. */
export async function findExecutable(file: string): Promise<string | undefined> {
  const { PATH = "" } = process.env;
  const folders = [...PATH.split(delimiter), "/usr/sbin", "/sbin"];
  for (const candidate of file.startsWith("/") ? [file] : folders.map((folder) => join(folder, file))) {
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here: the next folder.
    }
  }
  return undefined;
}
