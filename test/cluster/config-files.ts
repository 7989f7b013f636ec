/**
 * The configuration files that the components read. Each function gives one file's text; JSON
 * where the reader takes YAML, of which it is a part.
 */
import { join } from "node:path";
import type { ClusterLayout } from "./layout.ts";
import { cniPluginDir } from "./packages.ts";
import { pauseImage } from "./test-images.ts";

/** Addresses of the pods. */
export const podRange = "10.244.0.0/16";

/** Configuration of the kubelet. Everything it can be told to keep elsewhere is in the state directory. */
export function kubeletConfig(layout: ClusterLayout): string {
  const pki = (file: string) => join(layout.pkiDir, file);
  return json({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: "0.0.0.0",
    port: 10250,
    readOnlyPort: 0,
    authentication: {
      x509: { clientCAFile: pki("ca.crt") },
      webhook: { enabled: true },
      anonymous: { enabled: false },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: pki("kubelet.crt"),
    tlsPrivateKeyFile: pki("kubelet.key"),
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${layout.cgroup}`,
    failSwapOn: false,
    containerRuntimeEndpoint: `unix://${layout.containerdSocket}`,
    podLogsDir: join(layout.stateDir, "pod-logs"),
    volumePluginDir: join(layout.stateDir, "volume-plugins"),
    // Images come from files and cannot be pulled again, and a full disk is the machine's business.
    imageMinimumGCAge: "100h",
    imageGCHighThresholdPercent: 100,
    evictionHard: { "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%" },
    maxPods: 250,
    clusterDomain: "cluster.local",
    resolvConf: "",
  });
}

/** containerd's configuration, read by 1.6 and 2.x alike. Nothing of it lies outside the state directory. */
export function containerdConfig(layout: ClusterLayout): string {
  const inState = (name: string) => JSON.stringify(join(layout.stateDir, name));
  return `version = 2
root = ${inState("containerd")}
state = ${inState("containerd-run")}
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = ${JSON.stringify(layout.containerdSocket)}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${JSON.stringify(pauseImage)}
  stream_server_address = "127.0.0.1"
  enable_unprivileged_ports = false
  # Without CAP_SYS_RESOURCE the score cannot be lowered, and sandboxes fail.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${JSON.stringify(cniPluginDir)}
    conf_dir = ${inState("cni")}
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = ${inState("runc")}
`;
}

/** The pods' network: a bridge inside the cluster's network namespace. */
export function cniConfig(layout: ClusterLayout): string {
  return json({
    cniVersion: "0.4.0",
    name: layout.podNetwork,
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: false,
        // A pod reaches itself through its own service.
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(layout.stateDir, "cni-addresses"),
          ranges: [[{ subnet: podRange }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "loopback" },
    ],
  });
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
