/**
 * Where one test cluster lives on this machine: its directory, its network names and its
 * addresses. Everything another file touches outside its own directory is named here, so that
 * stopping can find it again. Several clusters can stand side by side, one a slot.
 */
import { realpathSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

/** Names and paths of one cluster. Nothing of it need exist. */
export interface ClusterLayout {
  readonly slot: number;
  /** Holds certificates, configurations, logs, pid files and the runtime's state. */
  readonly stateDir: string;
  readonly logDir: string;
  readonly pkiDir: string;
  /** One file a process, see `detached-process.ts`. */
  readonly pidDir: string;
  /** kubeconfig of the cluster's administrator. */
  readonly kubeconfig: string;
  readonly containerdSocket: string;
  /** Network namespace the whole cluster runs in. */
  readonly netns: string;
  readonly netnsPath: string;
  readonly hostInterface: string;
  readonly nodeInterface: string;
  readonly hostAddress: string;
  readonly nodeAddress: string;
  /** URL of the API server, reachable from the host. */
  readonly server: string;
  /** Cgroup that holds all pods, in every hierarchy. */
  readonly cgroup: string;
  /** Name of the pods' CNI network. */
  readonly podNetwork: string;
}

/** Name of the only node. */
export const nodeName = "n1";

const runtimeSocketLimit = 107;

/**
 * Lays out the cluster of a slot (0 to 63, 0 being the one that everybody shares). Its directory
 * is `stateDir`, else what LOCALIZER_TEST_CLUSTER_STATE names, else a folder under XDG_STATE_HOME.
 */
export function clusterLayout(options: { readonly slot?: number; readonly stateDir?: string } = {}): ClusterLayout {
  const slot = options.slot ?? 0;
  if (!Number.isInteger(slot) || slot < 0 || slot > 63) throw new RangeError(`No slot ${slot}: 0 to 63 exist`);
  const prefix = slot === 0 ? "lz" : `lz${slot}`;
  // The kernel tells of mounts by their real paths.
  const stateDir = realPath(resolve(options.stateDir ?? defaultStateDir(slot)));
  const containerdSocket = join(stateDir, "containerd.sock");
  if (containerdSocket.length > runtimeSocketLimit - ".ttrpc".length) {
    throw new RangeError(`Cannot use "${stateDir}": sockets in it would have paths over ${runtimeSocketLimit} bytes`);
  }
  const nodeAddress = `198.18.0.${slot * 4 + 2}`;
  return {
    slot,
    stateDir,
    logDir: join(stateDir, "log"),
    pkiDir: join(stateDir, "pki"),
    pidDir: join(stateDir, "pid"),
    kubeconfig: join(stateDir, "admin.kubeconfig"),
    containerdSocket,
    netns: `${prefix}-k8s`,
    netnsPath: `/run/netns/${prefix}-k8s`,
    hostInterface: `${prefix}-h`,
    nodeInterface: `${prefix}-c`,
    hostAddress: `198.18.0.${slot * 4 + 1}`,
    nodeAddress,
    server: `https://${nodeAddress}:6443`,
    cgroup: `${prefix}-k8s`,
    podNetwork: `${prefix}-pods`,
  };
}

function defaultStateDir(slot: number): string {
  const { LOCALIZER_TEST_CLUSTER_STATE, XDG_STATE_HOME = join(homedir(), ".local", "state") } = process.env;
  const base = LOCALIZER_TEST_CLUSTER_STATE ?? join(XDG_STATE_HOME, "localizer-testcluster");
  return slot === 0 ? base : `${base}-${slot}`;
}

/** Follows the links of as much of a path as exists. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path === "/" ? path : join(realPath(dirname(path)), basename(path));
  }
}
