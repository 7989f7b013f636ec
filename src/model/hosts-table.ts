/** What localizer writes into the hosts file: which loopback address answers to which names. */
import type { HostName } from "./host-name.ts";
import type { LoopbackAddress } from "./loopback.ts";

/** The line of one service, or of one pod of a headless service: an address and its names, most specific first. */
export interface HostsEntry {
  readonly address: LoopbackAddress;
  readonly names: readonly HostName[];
}
