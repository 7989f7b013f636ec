/**
 * What the cluster's programs change on the machine although nobody asked them to, because the
 * paths are fixed in them: put back when the cluster stops.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, readlink, rm, rmdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import type { ClusterLayout } from "./layout.ts";

/** Kernel settings that every kubelet makes its own. */
const kubeletSettings = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/keys/root_maxbytes",
].map((name) => join("/proc/sys", name));

const containerLogLinks = "/var/log/containers";
const cniCache = "/var/lib/cni/results";
const shimSocketDir = "/run/containerd/s";
const devicePluginSocket = "/var/lib/kubelet/device-plugins/kubelet.sock";

/** Made by whoever comes first; inner ones before outer ones. */
const sharedFolders = [
  containerLogLinks,
  cniCache,
  dirname(cniCache),
  shimSocketDir,
  dirname(shimSocketDir),
  dirname(devicePluginSocket),
  dirname(dirname(devicePluginSocket)),
];

/** Notes the kernel settings in the state directory, before a kubelet changes them. */
export async function saveKernelSettings(layout: ClusterLayout): Promise<void> {
  const values = await Promise.all(kubeletSettings.map(async (path) => [path, await readFile(path, "utf8")]));
  await writeFile(settingsFile(layout), JSON.stringify(Object.fromEntries(values)));
}

/** Undoes all of it, after the last process has gone and before the state directory is emptied. */
export async function removeHostTraces(layout: ClusterLayout): Promise<void> {
  await restoreKernelSettings(layout);
  for (const name of await entries(containerLogLinks)) {
    const path = join(containerLogLinks, name);
    const target = await readlink(path).catch(() => "");
    if (target.startsWith(`${layout.stateDir}/`)) await rm(path, { force: true });
  }
  const sandboxes = await knownSandboxes(layout);
  for (const path of [...(await cniResults(sandboxes)), ...(await shimSockets(layout, sandboxes))]) {
    await rm(path, { force: true });
  }
  if (await nobodyListens(devicePluginSocket)) await rm(devicePluginSocket, { force: true });
  for (const folder of sharedFolders) await rmdir(folder).catch(() => {}); // Stays when anybody uses it.
}

async function restoreKernelSettings(layout: ClusterLayout): Promise<void> {
  if (!existsSync(settingsFile(layout))) return;
  const values: unknown = JSON.parse(await readFile(settingsFile(layout), "utf8"));
  if (typeof values !== "object" || values === null) return;
  for (const [path, value] of Object.entries(values)) {
    if (kubeletSettings.includes(path)) await writeFile(path, String(value)).catch(() => {});
  }
}

/** Results are named NETWORK-SANDBOX-INTERFACE; the loopback network's name is everybody's. */
async function cniResults(sandboxes: ReadonlySet<string>): Promise<string[]> {
  const names = await entries(cniCache);
  return names
    .filter((name) => name.split("-").some((part) => sandboxes.has(part)))
    .map((name) => join(cniCache, name));
}

/** A shim that is killed leaves its socket, whose name is a hash of containerd's address and the sandbox. */
async function shimSockets(layout: ClusterLayout, sandboxes: ReadonlySet<string>): Promise<string[]> {
  const names = new Set(await entries(shimSocketDir));
  const hash = (id: string) =>
    createHash("sha256")
      .update(join(layout.containerdSocket, "k8s.io", id))
      .digest("hex");
  return [...sandboxes]
    .map(hash)
    .filter((name) => names.has(name))
    .map((name) => join(shimSocketDir, name));
}

/** Every sandbox there ever was: only the log remembers those that were killed and replaced. */
async function knownSandboxes(layout: ClusterLayout): Promise<Set<string>> {
  const log = await readFile(join(layout.logDir, "containerd.log"), "utf8").catch(() => "");
  return new Set(log.match(/\b[0-9a-f]{64}\b/g));
}

/** Says whether a socket file is the rest of a process that has ended. */
export function nobodyListens(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const connection = connect(path);
  connection.on("error", (error: NodeJS.ErrnoException) => resolve(error.code === "ECONNREFUSED"));
  connection.on("connect", () => {
    connection.destroy();
    resolve(false);
  });
  return promise;
}

function entries(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

function settingsFile(layout: ClusterLayout): string {
  return join(layout.stateDir, "kernel-settings.json");
}
