/**
 * The processes of the cluster and their command lines. All run inside the cluster's network
 * namespace, entered by nsenter: `ip netns exec` would hide the cgroup mounts from the kubelet.
 */
import { join } from "node:path";
import { podRange } from "./config-files.ts";
import type { Executables } from "./executables.ts";
import { type ClusterLayout, nodeName } from "./layout.ts";

/** Every process of the cluster, in the order they are started. */
export const componentNames = [
  "etcd",
  "containerd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kubelet",
  "kube-proxy",
] as const;

/** One process of the cluster. */
export type ComponentName = (typeof componentNames)[number];

/** Where etcd listens, in the cluster's network namespace. */
export const etcdClientUrl = "http://127.0.0.1:12379";
const etcdPeerUrl = "http://127.0.0.1:12380";

/** Port of kube-proxy's health check, on the node's address. */
export const proxyHealthPort = 10256;

/** Full command line of a component, from entering the network namespace on. */
export function componentCommand(name: ComponentName, layout: ClusterLayout, executables: Executables): string[] {
  const enter = ["nsenter", `--net=${layout.netnsPath}`, "--"];
  if (name === "containerd") {
    return [...enter, join(executables.runtimeDir, "containerd"), "-c", join(layout.stateDir, "containerd.toml")];
  }
  const flags = Object.entries(componentFlags(name, layout)).map(([flag, value]) => `--${flag}=${value}`);
  return [...enter, executables.kubebox, name, ...flags];
}

function componentFlags(name: Exclude<ComponentName, "containerd">, layout: ClusterLayout): Record<string, string> {
  const pki = (file: string) => join(layout.pkiDir, file);
  const user = join(layout.stateDir, `${name}.kubeconfig`);
  switch (name) {
    case "etcd":
      return {
        "data-dir": join(layout.stateDir, "etcd"),
        "listen-client-urls": etcdClientUrl,
        "advertise-client-urls": etcdClientUrl,
        "listen-peer-urls": etcdPeerUrl,
        "unsafe-no-fsync": "true",
      };
    case "kube-apiserver":
      return {
        "etcd-servers": etcdClientUrl,
        "bind-address": "0.0.0.0",
        "secure-port": "6443",
        "advertise-address": layout.nodeAddress,
        "client-ca-file": pki("ca.crt"),
        "tls-cert-file": pki("apiserver.crt"),
        "tls-private-key-file": pki("apiserver.key"),
        "kubelet-client-certificate": pki("apiserver-kubelet-client.crt"),
        "kubelet-client-key": pki("apiserver-kubelet-client.key"),
        "kubelet-certificate-authority": pki("ca.crt"),
        "kubelet-preferred-address-types": "InternalIP",
        "service-account-issuer": "https://kubernetes.default",
        "service-account-key-file": pki("service-account.key"),
        "service-account-signing-key-file": pki("service-account.key"),
        "service-cluster-ip-range": "10.96.0.0/12",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "allow-privileged": "true",
      };
    case "kube-controller-manager":
      return {
        kubeconfig: user,
        "authentication-kubeconfig": user,
        "authorization-kubeconfig": user,
        "service-account-private-key-file": pki("service-account.key"),
        "root-ca-file": pki("ca.crt"),
        "use-service-account-credentials": "true",
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
        controllers:
          "*,-node-ipam-controller,-cloud-node-lifecycle-controller,-service-lb-controller,-node-route-controller",
        "kube-api-qps": "500",
        "kube-api-burst": "1000",
        "concurrent-service-endpoint-syncs": "20",
      };
    case "kube-scheduler":
      return {
        kubeconfig: user,
        "authentication-kubeconfig": user,
        "authorization-kubeconfig": user,
        "leader-elect": "false",
        "bind-address": "127.0.0.1",
      };
    case "kubelet":
      return {
        config: join(layout.stateDir, "kubelet.json"),
        kubeconfig: user,
        "root-dir": join(layout.stateDir, "kubelet"),
        "cert-dir": layout.pkiDir,
        "hostname-override": nodeName,
        "node-ip": layout.nodeAddress,
      };
    case "kube-proxy":
      return {
        kubeconfig: user,
        "proxy-mode": "iptables",
        "cluster-cidr": podRange,
        "hostname-override": nodeName,
        "healthz-bind-address": `${layout.nodeAddress}:${proxyHealthPort}`,
        "metrics-bind-address": "127.0.0.1:10249",
        // At once: the default gathers changes for a second.
        "iptables-min-sync-period": "0s",
        // Connection tracking limits belong to the whole machine: left alone.
        "conntrack-max-per-core": "0",
        "conntrack-tcp-timeout-established": "0s",
        "conntrack-tcp-timeout-close-wait": "0s",
      };
  }
}
