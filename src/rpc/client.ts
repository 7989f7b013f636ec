/**
 * The caller's end of the wire: a typed client of the daemon on its unix socket. Promises LocalizerErrors
 * (`no-daemon` when nobody answers) and a deadline on every call. Used by cli, and by anyone who embeds localizer.
 */
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { type Clock, systemClock, withTimeout } from "../clock.ts";
import { errnoOf, LocalizerError, throwIfAborted } from "../errors.ts";
import { type ExposeLine, type ExposeRequest, exposeLineOf, exposeMessage, type StopExposeAsk } from "./exposing.ts";
import { LocalizerService } from "./gen/api/v1/localizer_pb.ts";
import { type ClusterInfo, clusterInfoOf, type ServiceList, serviceListOf } from "./listed.ts";
import { type Stats, type StatsChange, statsChangeOf, statsOf } from "./stats.ts";
import { fromConnectError } from "./status.ts";
import { UnixSession } from "./unix-session.ts";
import {
  type EnvironmentAsk,
  environmentAskMessage,
  environmentOf,
  type WorkloadEnvironment,
} from "./workload-environment.ts";

/** How long a call may take (30 s if not said), and what ends it early. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number;
}

/** How stats are watched. */
export interface WatchOptions {
  readonly signal?: AbortSignal | undefined;
  /** At least so long between two changes; 1 s if not said. Less than 100 ms counts as 100, and so does what is no number. */
  readonly intervalMs?: number;
  /** How long the first change, which has everything, may take: 30 s if not said. */
  readonly timeoutMs?: number;
}

/** How an exposure, or its end, is followed. */
export interface ExposeOptions {
  /** Ends the looking on; the daemon goes on. */
  readonly signal?: AbortSignal | undefined;
  /** How long the first line may take: 30 s if not said. After it there is no deadline: a pod may have to be pulled. */
  readonly timeoutMs?: number;
}

/**
 * The daemon, as a caller sees it. Every method throws LocalizerError: `no-daemon`, `denied` (another user's
 * socket), `timeout`, `unavailable` (the daemon went away during the call), `aborted`, or what the daemon answered.
 */
export interface DaemonClient extends AsyncDisposable {
  /** Every Service, in any order, which cluster they are of, and what asks for somebody's attention. */
  list(options?: CallOptions): Promise<ServiceList>;
  /** Says that the daemon answers, and which cluster it serves; undefined when it is too old to tell. */
  ping(options?: CallOptions): Promise<ClusterInfo | undefined>;
  /** Stops the daemon; resolves when everything but its process is gone. */
  kill(options?: CallOptions): Promise<void>;
  /** True when every wished-for tunnel is decided and the hosts file is written. */
  stable(options?: CallOptions): Promise<boolean>;
  /** What was counted of every Service that has had a connection. */
  stats(options?: CallOptions): Promise<Stats>;
  /** The same at once, then what has changed, for as long as the loop goes on. Ends when the daemon stops. */
  watchStats(options?: WatchOptions): AsyncIterable<StatsChange>;
  /**
   * Lets a Service's traffic go to a local process: a line for each step, the end when traffic can flow. Asks with the first turn
   * of the loop. Who leaves the loop, or goes away, cancels nothing: the daemon goes on, `stopExpose` ends it. Throws besides
   * `usage` (ports that the Service has not), `denied` (a right is missing), `conflict` (somebody holds it, a protected context
   * wants `yes`, volumes would be lost, pods would go that the Service does not lead to) and `not-found`,
   * also when the daemon is too old to expose.
   */
  expose(wish: ExposeRequest, options?: ExposeOptions): AsyncIterable<ExposeLine>;
  /** Gives the Service back: the same lines, the end when everything is as it was. Throws `not-found` when it is not exposed. */
  stopExpose(wish: StopExposeAsk, options?: ExposeOptions): AsyncIterable<ExposeLine>;
  /**
   * What the workload behind a Service has in its environment, also while it is exposed. Throws besides as `expose` does for a Service
   * that cannot be exposed.
   */
  workloadEnvironment(wish: EnvironmentAsk, options?: CallOptions): Promise<WorkloadEnvironment>;
}

/** Stats are not told more often. */
export const minIntervalMs = 100;

const defaultTimeoutMs = 30_000;

/** What older daemons lack. */
const noStats = "counts nothing";
const noExpose = "cannot expose services";
const noEnvironment = "cannot tell the environment of a workload";

/** Makes a client. Connects with the first call; dispose hangs up, also on calls that still wait. */
export function connectDaemon(options: { readonly socketPath: string; readonly clock?: Clock }): DaemonClient {
  const { socketPath, clock = systemClock } = options;
  const session = new UnixSession(socketPath);
  const transport = createGrpcTransport({ baseUrl: session.authority, sessionManager: session });
  const client = createClient(LocalizerService, transport);

  async function call<T>(wish: string, how: CallOptions, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal, timeoutMs = defaultTimeoutMs } = how;
    const action = `Cannot ${wish} over "${socketPath}"`;
    try {
      return await withTimeout(clock, { action, timeoutMs, signal }, run);
    } catch (thrown) {
      throw failed(thrown, signal);
    }
  }

  function failed(thrown: unknown, signal: AbortSignal | undefined): LocalizerError {
    if (signal?.aborted) return new LocalizerError("aborted", "Stopped", { cause: signal.reason });
    if (session.disposed) return new LocalizerError("aborted", "Stopped", { cause: thrown });
    return explain(thrown, socketPath);
  }

  /** For what an older daemon does not know. */
  function tooOld(thrown: unknown, lack: string): unknown {
    if (!(thrown instanceof ConnectError) || thrown.code !== Code.Unimplemented) return thrown;
    const sentence = `The daemon on "${socketPath}" is older than this and ${lack}; start it anew`;
    return new LocalizerError("not-found", sentence, { cause: thrown });
  }

  /** What a stream brings: the first within the deadline, the rest when it comes. */
  async function* streamed<T>(
    { wish, lack }: { readonly wish: string; readonly lack: string },
    how: ExposeOptions,
    open: (signal: AbortSignal) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    const { signal, timeoutMs = defaultTimeoutMs } = how;
    throwIfAborted(signal);
    // Fires when the caller leaves the loop, too: then nobody reads any more.
    const over = new AbortController();
    const reading = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
    const answers = open(reading)[Symbol.asyncIterator]();
    try {
      const action = `Cannot ${wish} over "${socketPath}"`;
      let next = await withTimeout(clock, { action, timeoutMs, signal }, (limited) => {
        limited.addEventListener("abort", () => over.abort(limited.reason), { once: true });
        return answers.next();
      });
      for (; next.done !== true; next = await answers.next()) yield next.value;
    } catch (thrown) {
      throw failed(tooOld(thrown, lack), signal);
    } finally {
      over.abort();
    }
  }

  async function* watchStats(how: WatchOptions = {}): AsyncGenerator<StatsChange, void, undefined> {
    const open = (signal: AbortSignal) => client.watchStats({ intervalMs: onWire(how.intervalMs) }, { signal });
    for await (const change of streamed({ wish: "watch stats", lack: noStats }, how, open)) yield statsChangeOf(change);
  }

  async function* expose(wish: ExposeRequest, how: ExposeOptions = {}): AsyncGenerator<ExposeLine, void, undefined> {
    const what = { wish: `expose "${wish.namespace}/${wish.service}"`, lack: noExpose };
    const open = (signal: AbortSignal) => client.exposeService(exposeMessage(wish), { signal });
    for await (const line of streamed(what, how, open)) yield exposeLineOf(line);
  }

  async function* stopExpose(
    wish: StopExposeAsk,
    how: ExposeOptions = {},
  ): AsyncGenerator<ExposeLine, void, undefined> {
    const what = { wish: `stop exposing "${wish.namespace}/${wish.service}"`, lack: noExpose };
    const open = (signal: AbortSignal) => client.stopExpose(wish, { signal });
    for await (const line of streamed(what, how, open)) yield exposeLineOf(line);
  }

  return {
    list: async (how = {}) => serviceListOf(await call("list services", how, (signal) => client.list({}, { signal }))),
    ping: async (how = {}) => {
      const { cluster } = await call("ping the daemon", how, (signal) => client.ping({}, { signal }));
      return cluster && clusterInfoOf(cluster);
    },
    kill: async (how = {}) => void (await call("stop the daemon", how, (signal) => client.kill({}, { signal }))),
    stable: async (how = {}) => (await call("ask the daemon", how, (signal) => client.stable({}, { signal }))).stable,
    stats: async (how = {}) => {
      const ask = (signal: AbortSignal) =>
        client.stats({}, { signal }).catch((thrown: unknown) => Promise.reject(tooOld(thrown, noStats)));
      return statsOf(await call("ask for stats", how, ask));
    },
    watchStats,
    expose,
    stopExpose,
    workloadEnvironment: async (wish, how = {}) => {
      const ask = (signal: AbortSignal) =>
        client
          .workloadEnvironment(environmentAskMessage(wish), { signal })
          .catch((thrown: unknown) => Promise.reject(tooOld(thrown, noEnvironment)));
      const what = `ask for the environment of "${wish.namespace}/${wish.service}"`;
      return environmentOf(await call(what, how, ask));
    },
    async [Symbol.asyncDispose]() {
      session[Symbol.dispose]();
    },
  };
}

/** The interval as a uint32, 0 for the daemon's own. */
function onWire(intervalMs: number | undefined): number {
  if (intervalMs === undefined) return 0;
  return intervalMs > minIntervalMs ? Math.min(Math.round(intervalMs), 2 ** 32 - 1) : minIntervalMs;
}

/** The LocalizerError for a failed call: errno first, for only it tells "nobody there" from "not allowed". */
function explain(thrown: unknown, socketPath: string): LocalizerError {
  switch (errnoOf(thrown)) {
    case "ENOENT":
    case "ENOTDIR":
    case "ECONNREFUSED":
      return new LocalizerError("no-daemon", `No daemon answers on "${socketPath}"; start it with \`localizer\``, {
        cause: thrown,
      });
    case "EACCES":
    case "EPERM":
      return new LocalizerError("denied", `Cannot connect to "${socketPath}": it belongs to another user`, {
        cause: thrown,
      });
  }
  const error = fromConnectError(thrown);
  // No signal of ours has fired, so it was the other side that cancelled or hung up.
  if (error.code !== "aborted" && errnoOf(thrown) === undefined) return error;
  return new LocalizerError("unavailable", `The daemon on "${socketPath}" went away during the call`, {
    cause: thrown,
  });
}
