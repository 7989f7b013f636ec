/** The part of the daemon that turns the cluster's Services into tunnels and names: built here, owned by daemon.ts. */
import { AddressBook } from "../addresses/address-book.ts";
import { AddressFile } from "../addresses/address-file.ts";
import type { Clock } from "../clock.ts";
import { Controller } from "../controller/controller.ts";
import { HostsPublisher } from "../controller/hosts-publisher.ts";
import { hostsInstance } from "../helper/config.ts";
import type { Helper } from "../helper/helper-role.ts";
import { foreignHosts } from "../hostsfile/foreign.ts";
import type { ApiClient } from "../kube/api-client.ts";
import { ClusterCache } from "../kube/cluster-cache.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { ObjectCache } from "../kube/object-cache.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import type { LoopbackAddress } from "../model/loopback.ts";
import { serviceKey } from "../model/service-key.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import { portHolders } from "../net/port-holder.ts";
import { localEnds } from "../net/tcp-table.ts";
import type { DialPod } from "../portforward/dial-pod.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { type ForeignNames, foreignNamesOf } from "./foreign-names.ts";
import { hostNamePolicy, shortNamesNamespace } from "./host-name-policy.ts";
import { HostsGuard } from "./hosts-guard.ts";
import { systemNamespaces } from "./left-out.ts";
import { openSystemNames } from "./system-names.ts";
import { watchedFile } from "./watched-file.ts";

/** What it is built from. */
export interface FollowComponents {
  readonly cluster: Cluster;
  readonly client: ApiClient;
  readonly helper: Helper;
  readonly dial: DialPod;
  readonly clock: Clock;
}

/** What the daemon asks afterwards. Nothing is listened on or written before `controller.start`. */
export interface FollowedServices {
  /** All kinds that anybody follows. */
  readonly objects: ObjectCache;
  readonly cache: ClusterCache;
  readonly controller: Controller;
  readonly hosts: HostsPublisher;
  /** Does nothing before its `start`. */
  readonly guard: HostsGuard;
}

/** Builds it on the stack, which then owns it. */
export async function followServices(
  options: DaemonOptions,
  { cluster, client, helper, dial, clock }: FollowComponents,
  stack: AsyncDisposableStack,
): Promise<FollowedServices> {
  const { log, namespaces, range } = options;
  const objects = stack.use(new ObjectCache({ client, clock, log: log.child("kube") }));
  const cache = stack.use(
    new ClusterCache(
      { objects, clock, log: log.child("kube") },
      {
        namespaces: namespaces.length > 0 ? namespaces : undefined,
        // The context's, and whatever else the user has named.
        fallbackNamespaces: [...new Set([cluster.namespace ?? "default", ...namedNamespaces(options)])],
        selector: options.selector,
      },
    ),
  );
  const hosts = stack.use(
    new HostsPublisher({ write: (entries) => helper.writeHosts(entries), clock, log: log.child("hosts") }),
  );
  const foreign = await foreignNamesOf(options);
  const guard = stack.use(hostsGuardOf(options, { hosts, foreign, clock }));
  const clusterUrl = cluster.server.href;
  const addressFile = stack.use(
    await AddressFile.open({ clock, log: log.child("addresses") }, { folder: options.stateDir, clusterUrl, range }),
  );
  const addresses = new AddressBook({ range, clusterUrl, taken: foreign.addresses, memory: addressFile.memory });
  const shortNamesFor = shortNamesNamespace(options, cluster);
  const isInUse = (name: string) =>
    shortNamesFor !== undefined && cache.services.get(serviceKey(shortNamesFor, name)) !== undefined;
  const systemNames = stack.use(await openSystemNames(clock, { env: options.env, isInUse }));
  const skipped = [...options.skipNamespaces, ...systemNamespaces.filter((name) => !namespaces.includes(name))];
  const onReleased = (address: LoopbackAddress) => {
    helper.release(address).catch((error: unknown) => log.debug("Cannot give an address back", { address, error }));
  };
  const components = {
    cache,
    hosts,
    addresses,
    dial,
    listen: helper.listen,
    whoHolds: portHolders({ clock }),
    ...localEnds({ clock }),
  };
  const controller = stack.use(
    new Controller(
      { ...components, onReleased, clock, log: log.child("tunnel") },
      {
        filter: { skipNamespaces: new Set(skipped), skipPorts: new Set(options.skipPorts) },
        names: hostNamePolicy(options, cluster, { foreign, systemNames }),
      },
    ),
  );
  return { objects, cache, controller, hosts, guard };
}

function namedNamespaces({ shortNames = "off", allowSuffixes }: DaemonOptions): readonly string[] {
  return shortNames === "off" ? allowSuffixes : [...allowSuffixes, shortNames];
}

function hostsGuardOf(
  options: DaemonOptions,
  { hosts, foreign, clock }: { hosts: HostsPublisher; foreign: ForeignNames; clock: Clock },
): HostsGuard {
  const { hostsFile: path = "/etc/hosts", socket = defaultSocketLink, log } = options;
  const instance = hostsInstance(socket);
  const onRead = (bytes: Buffer, written: readonly HostsEntry[]) => foreign.set(foreignHosts(bytes, instance, written));
  const components = { hosts, file: watchedFile(path), onRead, clock, log: log.child("hosts") };
  return new HostsGuard(components, { path, instance });
}
