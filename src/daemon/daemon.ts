/**
 * daemon: the composition root, the only room that knows every other. Builds everything on one stack and
 * unwinds it at the end; what a killed run left behind is tidied by the helper at the next start.
 * Used by cli's run command.
 */
import { systemClock as clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import type { Helper } from "../helper/client.ts";
import { ApiClient } from "../kube/api-client.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import { type PodConnector, podConnector } from "../portforward/choose-engine.ts";
import { podDialer } from "../portforward/dial-pod.ts";
import type { DaemonState } from "../server/daemon-state.ts";
import { type GrpcServer, openGrpcServer } from "../server/grpc-server.ts";
import { chooseHelper } from "./choose-helper.ts";
import { claimCluster } from "./cluster-claim.ts";
import { clusterOf, followCurrentContext } from "./cluster-source.ts";
import { watchCredentials } from "./credential-changes.ts";
import type { CurrentContext } from "./current-context.ts";
import type { Daemon, DaemonOptions, StartDaemon } from "./daemon-options.ts";
import { type FollowedServices, followServices } from "./follow-services.ts";
import { collectWhenIdle, v8Memory } from "./idle-collection.ts";
import { noticesOf } from "./notices.ts";
import { PortForwardHealth } from "./port-forward-health.ts";
import { serviceRow } from "./service-rows.ts";
import { socketPath } from "./socket-place.ts";
import { StartReport } from "./start-report.ts";

/** Starts everything. Nothing is left behind when it fails. */
export const startDaemon: StartDaemon = async (options, signal) => {
  const { log } = options;
  const report = new StartReport(clock, log);
  await using all = new AsyncDisposableStack();
  // All but the server. A Kill ends it before the server, which has to answer; every other end does the same.
  const works = all.use(new AsyncDisposableStack());
  works.use(collectWhenIdle(clock, v8Memory()));

  const health = new PortForwardHealth(clock);
  const cluster = await openCluster(options, health, works);
  works.use(await claimed(options, cluster));
  const client = works.use(new ApiClient({ cluster, clock }, { version: options.version }));
  const context = followCurrentContext(options, cluster.contextName, { clock, log });
  if (context !== undefined) works.use(context);
  // By itself: somebody may have to log in, which takes longer than a request may.
  await cluster.credentials.current(signal);
  await client.getJson("/version", { signal });
  report.clusterReached(cluster);

  const { helper, privileged } = await chooseHelper(options, clock, signal);
  works.use(helper);
  const connector = works.use(podConnector({ cluster, clock, log: log.child("portforward") }, options.engine));
  const dial = health.watch(podDialer(connector));
  const services = await followServices(options, { cluster, client, helper, dial, clock }, works);
  const { cache, controller, guard } = services;
  const found = () => report.servicesFound(cache.services.list().length, cache.scope.namespaces ?? []);
  // A failed start says why by itself.
  cache.synced.then(found, () => {});
  await startOrDenied(services, signal);
  report.namesWritten(controller.states, privileged);
  if (privileged) guard.start();

  const server = all.use(
    await openGrpcServer({
      socketPath: await socketPath(options, helper, privileged),
      state: daemonState({ cluster, connector, context, services, health, works }),
      log: log.child("server"),
      clock,
    }),
  );
  if (privileged) await helper.linkSocket(server.socketPath);
  works.use(
    health.keepProbing(
      (namespace) => controller.readyPod(namespace),
      (pod, probeSignal) => connector.probe(pod, probeSignal),
    ),
  );

  return daemonOf(
    { works, all: all.move() },
    { server, helper, summary: report.summary(controller.states, cluster, privileged) },
  );
};

/** The cluster, with word to `health` whenever the credentials change. */
async function openCluster(
  options: DaemonOptions,
  health: PortForwardHealth,
  stack: AsyncDisposableStack,
): Promise<Cluster> {
  const cluster = stack.use(await clusterOf(options, clock));
  return { ...cluster, credentials: watchCredentials(cluster.credentials, () => health.reset()) };
}

/**
 * Keeps a second daemon of this user from serving the same cluster. A state folder that cannot be used costs that care,
 * not the daemon.
 */
async function claimed({ stateDir, socket, log }: DaemonOptions, cluster: Cluster): Promise<AsyncDisposable> {
  const { clusterName, server } = cluster;
  try {
    const socketPath = socket ?? defaultSocketLink;
    return await claimCluster({ stateDir, serverUrl: server.href, clusterName, socketPath, clock });
  } catch (error) {
    if (codeOf(error) === "conflict") throw error;
    log.warn("Cannot tell whether another localizer of yours serves this cluster", { stateDir, error });
    return new AsyncDisposableStack();
  }
}

/** When nothing at all may be listed there is nothing to do; at the start that is an error, later a state. */
async function startOrDenied({ controller, cache }: FollowedServices, signal: AbortSignal): Promise<void> {
  const denied = Promise.withResolvers<never>();
  const look = () => {
    const { statuses } = cache;
    if (statuses.every(({ state }) => state === "denied")) denied.reject(statuses[0]?.lastError);
  };
  using _statuses = cache.onStatus(look);
  look();
  await Promise.race([controller.start(signal), denied.promise]);
}

/** What the server may ask. */
function daemonState(parts: {
  readonly cluster: Cluster;
  readonly connector: PodConnector;
  readonly context: CurrentContext | undefined;
  readonly services: FollowedServices;
  readonly health: PortForwardHealth;
  readonly works: AsyncDisposableStack;
}): DaemonState {
  const { cluster, connector, context, services, health, works } = parts;
  const { cache, controller, hosts, guard } = services;
  return {
    cluster: () => ({
      context: cluster.contextName,
      cluster: cluster.clusterName,
      server: cluster.server.href,
      namespace: cluster.namespace ?? "",
      namespaces: cache.scope.namespaces ?? [],
      portForwardEngine: connector.engine ?? "",
    }),
    notices: () =>
      noticesOf({
        context: context?.notice,
        credentials: cluster.credentials.failure,
        scope: cache.scope,
        watches: cache.statuses,
        hosts: hosts.error,
        guard: guard.notice,
      }),
    list: () => controller.states.map((state) => serviceRow(state, health)),
    isStable: () => controller.isStable,
    stop: () => works.disposeAsync(),
  };
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
