/** The exposures of this daemon: built here from what it has, owned by daemon.ts. */
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { Exposures } from "../expose/exposures.ts";
import { Journal } from "../expose/journal.ts";
import { openLocalSide } from "../expose/local-side.ts";
import { plannedOwners, preflight } from "../expose/preflight.ts";
import { maxLeaseMs } from "../expose/session-lease.ts";
import { workloadEnv } from "../expose/workload-env.ts";
import type { ApiClient } from "../kube/api-client.ts";
import { Discovery } from "../kube/discovery.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import type { ObjectCache } from "../kube/object-cache.ts";
import { Objects } from "../kube/objects.ts";
import { serviceKey } from "../model/service-key.ts";
import { localDialer } from "../net/dial-local.ts";
import { seenListener } from "../net/seen-listener.ts";
import type { DialPod } from "../portforward/dial-pod.ts";
import type { EnvironmentWish, WorkloadEnvironment } from "../rpc/workload-environment.ts";
import { connectSsh } from "../ssh/ssh-client.ts";
import type { DaemonOptions } from "./daemon-options.ts";
import { processWitness } from "./process-witness.ts";
import { userAtHost } from "./user-at-host.ts";

/** What they are built from. */
export interface ExposuresParts {
  readonly cluster: Cluster;
  readonly client: ApiClient;
  readonly cache: ObjectCache;
  readonly dial: DialPod;
  readonly clock: Clock;
  /** Told of all that passes through the SSH connections, by the number of bytes. */
  readonly onBytes?: (bytes: number) => void;
}

/** How long a workload may take to become ready when its exposure is stopped. */
const readyMs = 300_000;
/** How long an end may take beside that. */
const stopMs = 60_000;
/** For all exposures together when the daemon ends (expose-and-security 2.4). */
const endMs = 90_000;
/** Signs of life in the time of one Lease. */
const renewals = 3;

/** Exposures, and what came of putting back those of earlier daemons. Disposing ends them all. */
export interface Exposing extends AsyncDisposable {
  readonly exposures: Exposures;
  /** What could not be put back yet, a sentence each. */
  readonly notices: readonly string[];
  /** The environment of the workload behind a Service. Throws as workloadEnv. */
  readonly environment: (wish: EnvironmentWish) => Promise<WorkloadEnvironment>;
}

/** Makes them, and begins to put back what dead daemons have left. @throws LocalizerError as `openExposures` */
export async function openExposing(options: ExposingOptions, parts: ExposuresParts): Promise<Exposing> {
  const exposures = await openExposures(options, parts);
  const recovering = exposures.recover();
  const stopping = new AbortController();
  return {
    exposures,
    environment({ namespace, service, portMaps: maps, secrets }) {
      const wish = { key: serviceKey(namespace, service), maps, secrets };
      return workloadEnv(newReaders(parts.client), wish, stopping.signal);
    },
    get notices() {
      return exposures.notices;
    },
    async [Symbol.asyncDispose]() {
      stopping.abort(new LocalizerError("aborted", "Stopped"));
      await exposures[Symbol.asyncDispose]();
      await recovering;
    },
  };
}

/** What of the daemon's settings counts here. */
export type ExposingOptions = Pick<
  DaemonOptions,
  "stateDir" | "log" | "version" | "exposeLeaseMs" | "exposeStartMs" | "exposeImage"
>;

/** Makes them. @throws LocalizerError `internal` when this process cannot be told from others */
export async function openExposures(
  options: ExposingOptions,
  { cluster, client, cache, dial, clock, onBytes = () => {} }: ExposuresParts,
): Promise<Exposures> {
  const log = options.log.child("expose");
  const objects = new Objects(client);
  const discovery = new Discovery(client);
  const local = { clock, dial: localDialer({ clock }), sees: seenListener() };
  const seen = () => ({ ...newReaders(client), client });
  return new Exposures(
    {
      ...{ objects, discovery, cache, dial, clock, log },
      connectSsh: (transport, identity, signal) => connectSsh(transport, identity, signal, { onBytes }),
      journal: new Journal(join(options.stateDir, "exposures"), await processWitness()),
      preflight: (wish, signal) => preflight(seen(), wish, signal),
      findOwners: (asked, signal) => plannedOwners(seen(), asked, signal),
      openSide: (port) => openLocalSide(local, port),
    },
    {
      server: cluster.server.href,
      contextName: cluster.contextName,
      clusterName: cluster.clusterName,
      holder: userAtHost(),
      version: options.version,
      image: options.exposeImage,
      leaseMs: options.exposeLeaseMs,
      // No Lease is believed to live longer than that.
      renewMs: Math.min(options.exposeLeaseMs, maxLeaseMs) / renewals,
      startMs: options.exposeStartMs,
      ...{ readyMs, stopMs, endMs },
    },
  );
}

/** New ones each time: kinds come and go while a daemon lives. */
function newReaders(client: ApiClient) {
  return { objects: new Objects(client), discovery: new Discovery(client) };
}
