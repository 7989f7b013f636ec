/** The exposures of this daemon: built here from what it has, owned by daemon.ts. */
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { Exposures } from "../expose/exposures.ts";
import { Journal, type ProcessWitness } from "../expose/journal.ts";
import { openLocalSide } from "../expose/local-side.ts";
import { plannedOwners, preflight } from "../expose/preflight.ts";
import { maxLeaseMs } from "../expose/session-lease.ts";
import { workloadEnv } from "../expose/workload-env.ts";
import { isRunning, type ProcessIdentity, processIdentity } from "../helper/process-identity.ts";
import type { ApiClient } from "../kube/api-client.ts";
import { Discovery } from "../kube/discovery.ts";
import { numberAt, textAt } from "../kube/json.ts";
import type { Cluster } from "../kube/kubeconfig.ts";
import type { ObjectCache } from "../kube/object-cache.ts";
import { Objects } from "../kube/objects.ts";
import { serviceKey } from "../model/service-key.ts";
import { localDialer } from "../net/dial-local.ts";
import type { DialPod } from "../portforward/dial-pod.ts";
import type { EnvironmentWish, WorkloadEnvironment } from "../rpc/workload-environment.ts";
import { connectSsh } from "../ssh/ssh-client.ts";
import type { DaemonOptions } from "./daemon-options.ts";
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
/** For all exposures together when the daemon ends (expose-and-security 2.4). */
const endMs = 90_000;
/** Signs of life in the time of one Lease. */
const renewals = 3;

/** Exposures, and what came of putting back those of earlier daemons. Disposing ends them all. */
export interface Exposing extends AsyncDisposable {
  readonly exposures: Exposures;
  /** What could not be put back, a sentence each. */
  readonly notices: readonly string[];
  /** The environment of the workload behind a Service. Throws as workloadEnv. */
  readonly environment: (wish: EnvironmentWish) => Promise<WorkloadEnvironment>;
}

/** Makes them, and begins to put back what dead daemons have left. @throws LocalizerError as `openExposures` */
export async function openExposing(options: ExposingOptions, parts: ExposuresParts): Promise<Exposing> {
  const exposures = await openExposures(options, parts);
  let notices: readonly string[] = [];
  const recovering = exposures.recover().then(
    (failures) => {
      notices = failures;
    },
    (error: unknown) => {
      notices = [LocalizerError.from(error).message];
    },
  );
  const stopping = new AbortController();
  return {
    exposures,
    environment({ namespace, service, portMaps: maps, secrets }) {
      const wish = { key: serviceKey(namespace, service), maps, secrets };
      return workloadEnv(newReaders(parts.client), wish, stopping.signal);
    },
    get notices() {
      return notices;
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
  const dialLocal = localDialer({ clock });
  const seen = () => ({ ...newReaders(client), client });
  return new Exposures(
    {
      ...{ objects, discovery, cache, dial, clock, log },
      connectSsh: (transport, identity, signal) => connectSsh(transport, identity, signal, { onBytes }),
      journal: new Journal(join(options.stateDir, "exposures"), await processWitness()),
      preflight: (wish, signal) => preflight(seen(), wish, signal),
      findOwners: (plan, signal) => plannedOwners(seen(), plan, signal),
      openSide: (port) => openLocalSide({ clock, dial: dialLocal }, port),
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
      ...{ readyMs, endMs },
    },
  );
}

/** New ones each time: kinds come and go while a daemon lives. */
function newReaders(client: ApiClient) {
  return { objects: new Objects(client), discovery: new Discovery(client) };
}

/** Who this process is, so that a later one can tell that it is dead. */
export async function processWitness(): Promise<ProcessWitness> {
  const self = await processIdentity(process.pid);
  if (self === undefined) throw new LocalizerError("internal", "Cannot tell which process this is");
  return {
    self,
    isRunning: async (value) => {
      const identity = parseIdentity(value);
      return identity !== undefined && (await isRunning(identity));
    },
  };
}

/** Undefined when it says nothing that can be understood: no process of ours has written that, and none lives by it. */
function parseIdentity(value: unknown): ProcessIdentity | undefined {
  const pid = numberAt(value, "pid");
  const [startTime, bootId] = [textAt(value, "startTime"), textAt(value, "bootId")];
  if (pid === undefined || startTime === undefined || bootId === undefined) return undefined;
  const pidNamespace = textAt(value, "pidNamespace");
  return { pid, startTime, bootId, ...(pidNamespace === undefined ? {} : { pidNamespace }) };
}
