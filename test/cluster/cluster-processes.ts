/**
 * Finds the processes of a cluster on this machine, whoever started them and whatever has become
 * of the files that name them: a component whose pid file is gone, a pod whose shim was killed.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { identify, type ProcessIdentity, readPidFile } from "./detached-process.ts";
import type { ClusterLayout } from "./layout.ts";
import { mountsUnder } from "./mounts.ts";

/** A process of the cluster. "other" is whatever else entered its network namespace. */
export interface ClusterProcess extends ProcessIdentity {
  readonly kind: "component" | "shim" | "pod" | "other";
  /** The kernel's short name of it. */
  readonly command: string;
}

/**
 * Processes that a pid file names, that are a shim of the cluster's containerd, that are in the
 * cgroup of its pods, or in the network namespace of the cluster or of one of its pods.
 */
export function clusterProcesses(layout: ClusterLayout): ClusterProcess[] {
  const components = new Set(pidFiles(layout).map(({ pid }) => pid));
  const namespaces = networkNamespaces(layout);
  const kindOf = (pid: number): ClusterProcess["kind"] | undefined => {
    if (components.has(pid)) return "component";
    if (procText(pid, "cmdline").split("\0").includes(layout.containerdSocket)) return "shim";
    if (procText(pid, "cgroup").includes(`:/${layout.cgroup}/`)) return "pod";
    return namespaces.has(networkNamespaceOf(pid)) ? "other" : undefined;
  };
  const found: ClusterProcess[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const [identity, kind] = [identify(pid), kindOf(pid)];
    if (identity === undefined || kind === undefined) continue;
    found.push({ ...identity, kind, command: procText(pid, "comm").trim() });
  }
  return found;
}

function pidFiles(layout: ClusterLayout): ProcessIdentity[] {
  if (!existsSync(layout.pidDir)) return [];
  return readdirSync(layout.pidDir)
    .map((file) => readPidFile(join(layout.pidDir, file)))
    .filter((identity) => identity !== undefined);
}

/** In the form of the links in /proc/PID/ns. */
function networkNamespaces(layout: ClusterLayout): Set<string | undefined> {
  const pods = mountsUnder(layout.stateDir).filter(({ type }) => type === "nsfs");
  return new Set(
    [layout.netnsPath, ...pods.map(({ path }) => path)]
      .filter((path) => existsSync(path))
      .map((path) => `net:[${statSync(path).ino}]`),
  );
}

function networkNamespaceOf(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined;
  }
}

function procText(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}
