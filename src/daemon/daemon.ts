/**
 * daemon: the composition root, the only room that knows every other. Builds everything on one stack and
 * unwinds it at the end; what a killed run left behind is tidied by the helper at the next start.
 * Used by cli's run command.
 */
import { aborted, systemClock as clock } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { checkPlaces } from "../helper/check-places.ts";
import type { Helper } from "../helper/helper-role.ts";
import { plainRootWarning } from "../helper/user.ts";
import { ApiClient } from "../kube/api-client.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import { tcpDelivery } from "../net/tcp-delivery.ts";
import { type PodConnector, podConnector } from "../portforward/choose-engine.ts";
import { engineDialer } from "../portforward/engine-dialer.ts";
import { openPodDialer } from "../portforward/pod-dialer.ts";
import { Surroundings } from "../portforward/surroundings.ts";
import type { DaemonState } from "../server/daemon-state.ts";
import { type GrpcServer, openGrpcServer } from "../server/grpc-server.ts";
import { collectAsBytesPass } from "./bulk-collection.ts";
import { chooseHelper } from "./choose-helper.ts";
import { claimFor, removeTemporaryFolder } from "./claim-place.ts";
import { clusterOf, followCurrentContext } from "./cluster-source.ts";
import { watchCredentials } from "./credential-changes.ts";
import type { CurrentContext } from "./current-context.ts";
import type { Daemon, DaemonOptions, StartDaemon } from "./daemon-options.ts";
import { exposeState } from "./expose-state.ts";
import { type FollowedServices, followServices } from "./follow-services.ts";
import { collectAfterStart, collectWhenIdle, v8Memory } from "./idle-collection.ts";
import { leftOutOf } from "./left-out.ts";
import { NamedNamespaces } from "./named-namespaces.ts";
import { networkAddresses } from "./network-addresses.ts";
import { noticesOf } from "./notices.ts";
import { type Exposing, openExposing } from "./open-exposures.ts";
import { PortForwardHealth, type Probing } from "./port-forward-health.ts";
import { reachCluster } from "./reach-cluster.ts";
import { watchRetiredPods } from "./retired-pods.ts";
import { ServerVersion } from "./server-version.ts";
import { serviceRow } from "./service-rows.ts";
import { openAtSocket } from "./socket-place.ts";
import { namesPlace, StartReport } from "./start-report.ts";
import { type PodWays, serviceStats } from "./stats-rows.ts";

/** The line that ends the start waits for the first probes at most so long. */
const firstRoundMs = 2_000;

/** Starts everything. Nothing is left behind when it fails. */
export const startDaemon: StartDaemon = async (options, signal) => {
  const { log } = options;
  const report = new StartReport(clock, log);
  checkPlaces({ ...options, withHelper: options.helper !== "none" });
  const warning = plainRootWarning(options.env);
  if (warning !== undefined) log.warn(warning);
  await using all = new AsyncDisposableStack();
  all.defer(removeTemporaryFolder);
  // All but the server. A Kill ends it before the server, which has to answer; every other end does the same.
  const works = all.use(new AsyncDisposableStack());
  const memory = v8Memory();

  const health = new PortForwardHealth(clock, log.child("tunnel"));
  const cluster = await openCluster(options, health, works);
  const claim = works.use(await claimFor(options, cluster, clock));
  const client = works.use(new ApiClient({ cluster, clock }, { version: options.version }));
  const context = works.use(followCurrentContext(options, cluster, { clock, log }));
  // By itself: somebody may have to log in, which takes longer than a request may.
  await cluster.credentials.current(signal);
  const version = works.use(new ServerVersion({ client, clock }, await reachCluster(client, cluster, signal)));
  report.clusterReached(cluster);

  const { helper, privileged } = await chooseHelper(options, clock, signal);
  works.use(helper);
  const surroundings = new Surroundings({ clock, addresses: networkAddresses });
  const connector = works.use(
    podConnector(
      {
        ...{ cluster, clock, log: log.child("portforward"), version: options.version },
        circumstances: () => `${version.look()} ${surroundings.look()}`,
        witnesses: { deliveryOf: tcpDelivery(), isOurs: (address) => surroundings.isOurs(address) },
      },
      options.engine,
    ),
  );
  const connect: PodConnector["connect"] = (pod, dialSignal) => connector.connect(pod, dialSignal);
  const pools = works.use(openPodDialer({ connect, clock, surroundings }));
  const dial = health.watch(engineDialer(connector, pools.dial));
  const services = await followServices(options, { cluster, client, helper, dial, clock }, works);
  const { cache, controller, hosts, guard } = services;
  works.use(watchRetiredPods(cache, (uid) => pools.retire(uid)));
  const isQuiet = () => controller.connections === 0;
  works.use(collectWhenIdle(clock, memory, isQuiet));
  const found = () => report.servicesFound(cache.services.list().length, cache.scope.namespaces ?? []);
  // A failed start says why by itself.
  cache.synced.then(found, () => {});
  await startOrDenied(services, signal);
  collectAfterStart(memory, isQuiet);
  // Before the rest, for the line that ends the start waits for what it finds out.
  const probing = works.use(
    health.keepProbing(
      () => controller.readyPods(),
      (pod, probeSignal) => connector.probe(pod, probeSignal),
    ),
  );
  const named = works.use(new NamedNamespaces({ client, clock, log }, namespacesOf(options)));
  report.namesWritten(controller.states, namesPlace(privileged, hosts.error));
  if (privileged) guard.start();

  const onBytes = collectAsBytesPass(memory);
  const exposing = works.use(
    await openExposing(options, { cluster, client, cache: services.objects, dial, clock, onBytes }),
  );
  const stopping = new AbortController();
  // Of all works the first to end.
  works.defer(() => stopping.abort());
  const ways = () => ({
    pools: Map.groupBy(pools.stats(), ({ pod }) => pod.uid),
    engineIn: (namespace: string) => connector.engineIn(namespace),
  });
  const parts = { options, cluster, connector, context, services, health, named, exposing };
  const state = daemonState({ ...parts, works, ways, stopping });
  const server = all.use(
    await openAtSocket(options, { helper, privileged }, (socketPath) =>
      openGrpcServer({ socketPath, state, log: log.child("server"), clock }),
    ),
  );
  if (privileged) await helper.linkSocket(server.socketPath);
  await claim.answersOn(server.socketPath);
  await answered(probing, signal);
  const names = namesPlace(privileged, hosts.error);
  const summary = report.summary(controller.states, { contextName: cluster.contextName, health, names });
  return daemonOf({ works, all: all.move() }, { server, helper, summary });
};

/** Until the first probes have told whether services answer, but not for long: they are served already. */
async function answered({ firstRound }: Probing, signal: AbortSignal): Promise<void> {
  const enough = Promise.withResolvers<void>();
  using _timer = clock.after(firstRoundMs, enough.resolve);
  await Promise.race([firstRound, enough.promise, aborted(signal)]);
  throwIfAborted(signal);
}

/** The cluster, with word to `health` whenever the credentials change. */
async function openCluster(
  options: DaemonOptions,
  health: PortForwardHealth,
  stack: AsyncDisposableStack,
): Promise<Cluster> {
  const cluster = stack.use(await clusterOf(options, clock));
  return { ...cluster, credentials: watchCredentials(cluster.credentials, () => health.reset()) };
}

/** When nothing at all may be listed there is nothing to do; at the start that is an error, later a state. */
async function startOrDenied({ controller, cache }: FollowedServices, signal: AbortSignal): Promise<void> {
  const denied = Promise.withResolvers<never>();
  const look = () => {
    const { statuses } = cache;
    if (statuses.every(({ state }) => state === "denied")) denied.reject(withRights(statuses[0]?.lastError));
  };
  using _statuses = cache.onStatus(look);
  look();
  await Promise.race([controller.start(signal), denied.promise]);
}

/** Those whose names were typed. One that is only allowed as a suffix may be another cluster's. */
function namespacesOf({ namespaces, shortNames = "off" }: DaemonOptions): readonly string[] {
  return shortNames === "off" ? namespaces : [...namespaces, shortNames];
}

/** Says which rights it takes; who is not known at all lacks none. */
function withRights(thrown: unknown): LocalizerError {
  const error = LocalizerError.from(thrown);
  if (error.code !== "denied") return error;
  const rights = "it takes the rights to list and watch services and endpointslices";
  const sentence = `${error.message}; ${rights}, in all namespaces or in those named with --namespace`;
  return new LocalizerError("denied", sentence, { cause: error });
}

/** What the server may ask. */
function daemonState(parts: {
  readonly options: DaemonOptions;
  readonly cluster: Cluster;
  readonly connector: PodConnector;
  readonly context: CurrentContext;
  readonly services: FollowedServices;
  readonly health: PortForwardHealth;
  readonly named: NamedNamespaces;
  readonly exposing: Exposing;
  readonly works: AsyncDisposableStack;
  readonly ways: () => PodWays;
  readonly stopping: AbortController;
}): DaemonState {
  const { options, cluster, connector, context, services, health, named, exposing, works, ways, stopping } = parts;
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
        context: context.notice,
        credentials: cluster.credentials.failure,
        namespaces: named.notices,
        exposures: exposing.notices,
        scope: cache.scope,
        watches: cache.statuses,
        hosts: hosts.error,
        guard: guard.notice,
      }),
    list: () => {
      const written = hosts.settled ? {} : { written: { entries: hosts.written } };
      const now = ways();
      return controller.states.map((state) => {
        const cluster = { service: cache.services.get(state.key), slices: cache.slicesOf(state.key) };
        const stats = state.kind === "tunnel" ? serviceStats(state, now) : undefined;
        return { ...serviceRow(state, health, { ...cluster, ...written }), ...(stats && { stats }) };
      });
    },
    stats: () => {
      const now = ways();
      return controller.used.flatMap((served) => serviceStats(served, now) ?? []);
    },
    leftOut: () => leftOutOf({ options, scope: cache.scope, watches: cache.statuses }),
    selector: () => options.selector ?? "",
    isStable: () => controller.isStable,
    ...exposeState(exposing.exposures, options.log.child("expose")),
    workloadEnvironment: exposing.environment,
    stopping: stopping.signal,
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
