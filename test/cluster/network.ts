/**
 * The cluster's network: a namespace of its own, joined to the host by one pair of interfaces.
 * The host plays the developer's laptop: it reaches the API server, and no pod.
 */
import { existsSync } from "node:fs";
import type { ClusterLayout } from "./layout.ts";
import { runCommand } from "./run-command.ts";

/** Makes namespace, interfaces and addresses. None of them may exist. */
export async function createNetwork(layout: ClusterLayout): Promise<void> {
  const { netns, netnsPath, hostInterface, nodeInterface, hostAddress, nodeAddress } = layout;
  const ip = (...args: string[]) => runCommand("ip", args);
  await ip("netns", "add", netns);
  await ip("link", "add", hostInterface, "type", "veth", "peer", "name", nodeInterface, "netns", netns);
  await ip("addr", "add", `${hostAddress}/30`, "dev", hostInterface);
  await ip("link", "set", hostInterface, "up");
  await ip("-n", netns, "addr", "add", `${nodeAddress}/30`, "dev", nodeInterface);
  await ip("-n", netns, "link", "set", nodeInterface, "up");
  await ip("-n", netns, "link", "set", "lo", "up");
  await ip("-n", netns, "route", "add", "default", "via", hostAddress);
  // /proc/sys/net is that of the namespace whoever writes is in.
  await runCommand("nsenter", [`--net=${netnsPath}`, "--", "tee", "/proc/sys/net/ipv4/ip_forward"], { input: "1" });
}

/** Removes what `createNetwork` makes, as far as it is there. */
export async function removeNetwork(layout: ClusterLayout): Promise<void> {
  // First the interface: the kernel removes that of a deleted namespace only after a while.
  if (interfaceExists(layout)) await runCommand("ip", ["link", "del", layout.hostInterface]);
  if (existsSync(layout.netnsPath)) await runCommand("ip", ["netns", "del", layout.netns]);
}

/** Says whether the host's end of the pair exists. */
export function interfaceExists(layout: ClusterLayout): boolean {
  return existsSync(`/sys/class/net/${layout.hostInterface}`);
}
