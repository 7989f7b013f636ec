/**
 * daemon: the composition root, the only room that knows every other. Builds everything on one stack and
 * unwinds it at the end; what a killed run left behind is tidied by the helper at the next start.
 * Used by cli's run command.
 */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { AddressBook } from "../addresses/address-book.ts";
import { systemClock as clock } from "../clock.ts";
import { Controller } from "../controller/controller.ts";
import { HostsPublisher } from "../controller/hosts-publisher.ts";
import { LocalizerError } from "../errors.ts";
import type { Helper } from "../helper/client.ts";
import { ApiClient } from "../kube/api-client.ts";
import { ClusterCache } from "../kube/cluster-cache.ts";
import { type Cluster, loadCluster } from "../kube/kubeconfig.ts";
import { ObjectCache } from "../kube/object-cache.ts";
import { podDialer, probePod } from "../portforward/dial-pod.ts";
import { type GrpcServer, openGrpcServer } from "../server/grpc-server.ts";
import { chooseHelper } from "./choose-helper.ts";
import type { Daemon, DaemonOptions, StartDaemon } from "./daemon-options.ts";
import { foreignHostsOf, hostNamePolicy } from "./host-name-policy.ts";
import { PortForwardHealth } from "./port-forward-health.ts";
import { serviceRow } from "./service-rows.ts";
import { socketPath } from "./socket-place.ts";
import { StartReport } from "./start-report.ts";
import { openSystemNames } from "./system-names.ts";

/** Left out unless the user names it: what runs there is the cluster's own. */
const systemNamespaces = ["kube-system"];

/** Starts everything. Nothing is left behind when it fails. */
export const startDaemon: StartDaemon = async (options, signal) => {
  const { log } = options;
  const report = new StartReport(clock);
  await using all = new AsyncDisposableStack();
  // All but the server. A Kill ends it before the server, which has to answer; every other end does the same.
  const works = all.use(new AsyncDisposableStack());

  const cluster = await clusterOf(options);
  const client = works.use(new ApiClient({ cluster, clock }, { version: options.version }));
  await client.getJson("/version", { signal });
  log.info("Reached the cluster", { context: cluster.contextName, server: cluster.server.href });

  const { helper, privileged } = await chooseHelper(options, clock, signal);
  works.use(helper);
  const { namespaces } = options;
  const objects = works.use(new ObjectCache({ client, clock, log: log.child("kube") }));
  const cache = works.use(
    new ClusterCache(
      { objects, clock, log: log.child("kube") },
      {
        namespaces: namespaces.length > 0 ? namespaces : undefined,
        fallbackNamespaces: [cluster.namespace ?? "default"],
      },
    ),
  );
  const hosts = works.use(
    new HostsPublisher({ write: (entries) => helper.writeHosts(entries), clock, log: log.child("hosts") }),
  );
  const foreign = await foreignHostsOf(options);
  const addresses = new AddressBook({
    range: options.range,
    clusterUrl: cluster.server.href,
    taken: foreign.addresses,
  });
  const systemNames = works.use(await openSystemNames(clock, options.env));
  const health = new PortForwardHealth(clock);
  const dial = health.watch(podDialer(cluster, clock));
  const skipped = [...options.skipNamespaces, ...systemNamespaces.filter((name) => !namespaces.includes(name))];
  const controller = works.use(
    new Controller(
      { cache, hosts, addresses, dial, listen: helper.listen, clock, log: log.child("tunnel") },
      {
        filter: { skipNamespaces: new Set(skipped), skipPorts: new Set(options.skipPorts) },
        names: hostNamePolicy(options, cluster, { foreign, systemNames }),
      },
    ),
  );
  await startOrDenied(controller, cache, signal);

  const server = all.use(
    await openGrpcServer({
      socketPath: await socketPath(options, helper, privileged),
      state: {
        cluster: () => ({
          context: cluster.contextName,
          cluster: cluster.clusterName,
          server: cluster.server.href,
          namespace: cluster.namespace ?? "",
          namespaces,
        }),
        notices: () => [],
        list: () => controller.states.map((state) => serviceRow(state, health, hosts.error)),
        isStable: () => controller.isStable,
        stop: () => works.disposeAsync(),
      },
      log: log.child("server"),
      clock,
    }),
  );
  if (privileged) await helper.linkSocket(server.socketPath);
  works.use(
    health.keepProbing(
      () => controller.readyPod,
      (pod, probeSignal) => probePod(cluster, clock, pod, probeSignal),
    ),
  );

  return daemonOf(
    { works, all: all.move() },
    { server, helper, summary: report.summary(controller.states, cluster, privileged) },
  );
};

function clusterOf(options: DaemonOptions): Promise<Cluster> {
  return loadCluster({
    path: options.kubeconfig,
    context: options.context,
    env: options.env,
    home: options.env.HOME ?? homedir(),
    readFile: (path) => readFile(path),
  });
}

/** When nothing at all may be listed there is nothing to do; at the start that is an error, later a state. */
async function startOrDenied(controller: Controller, cache: ClusterCache, signal: AbortSignal): Promise<void> {
  const denied = Promise.withResolvers<never>();
  const look = () => {
    const { statuses } = cache;
    if (statuses.every(({ state }) => state === "denied")) denied.reject(statuses[0]?.lastError);
  };
  using _statuses = cache.onStatus(look);
  look();
  await Promise.race([controller.start(signal), denied.promise]);
}

function daemonOf(
  { works, all }: { works: AsyncDisposableStack; all: AsyncDisposableStack },
  { server, helper, summary }: { server: GrpcServer; helper: Helper; summary: string },
): Daemon {
  const lost = Promise.withResolvers<never>();
  const onGone = () =>
    lost.reject(
      new LocalizerError("unavailable", "The helper ended, and all listeners with it", { cause: helper.gone.reason }),
    );
  helper.gone.addEventListener("abort", onGone, { once: true });
  if (helper.gone.aborted) onGone();
  const ended = Promise.race([server.killed, lost.promise]);
  // The owner may look at it late.
  ended.catch(() => {});
  return {
    summary,
    ended,
    async [Symbol.asyncDispose]() {
      helper.gone.removeEventListener("abort", onGone);
      // Should it fail, the rest ends all the same.
      await works.disposeAsync().finally(() => all.disposeAsync());
    },
  };
}
