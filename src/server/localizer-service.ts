/** The handlers of api.v1.LocalizerService: ask the daemon, answer with a message; nothing else. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../clock.ts";
import { exposeWishOf, stopExposeWishOf } from "../rpc/exposing.ts";
import type {
  ClusterInfoSchema,
  ListServiceSchema,
  LocalizerService,
  PortRowSchema,
} from "../rpc/gen/api/v1/localizer_pb.ts";
import type { ClusterInfo } from "../rpc/listed.ts";
import { exposureMessage } from "../rpc/listed-exposure.ts";
import { environmentMessage, environmentWishOf } from "../rpc/workload-environment.ts";
import type { DaemonState, PortRow, ServiceRow } from "./daemon-state.ts";
import { exposeStream } from "./expose-stream.ts";
import { pastDeadline } from "./past-deadline.ts";
import { statsMessage } from "./stats-messages.ts";
import { watchStats } from "./watch-stats.ts";

/** `stop` is the daemon's orderly stop; it may be called more than once and stops once. */
export function localizerService(
  state: Omit<DaemonState, "stop">,
  { stop, clock }: { readonly stop: () => Promise<void>; readonly clock: Clock },
): ServiceImpl<typeof LocalizerService> {
  const cluster = () => clusterMessage(state.cluster());
  return {
    list: () => ({
      services: state.list().map(serviceMessage),
      cluster: cluster(),
      notices: [...state.notices()],
      leftOut: state.leftOut().map((left) => ({ ...left })),
      selector: state.selector(),
      exposures: state.exposures().map(exposureMessage),
    }),
    ping: () => ({ cluster: cluster() }),
    stable: () => ({ stable: state.isStable(), cluster: cluster() }),
    stats: () => ({ cluster: cluster(), services: state.stats().map(statsMessage) }),
    async *watchStats({ intervalMs }, { signal: left }) {
      // Once it stops, services go that nobody has deleted: that is no news.
      const signal = AbortSignal.any([left, state.stopping]);
      for await (const { services, removed } of watchStats(() => state.stats(), { intervalMs, clock, signal })) {
        yield { services: services.map(statsMessage), removed: [...removed] };
      }
      const late = pastDeadline(left);
      if (late !== undefined) throw late;
    },
    async kill() {
      await stop();
      return {};
    },
    exposeService: (request, { signal }) => exposeStream(state.expose(exposeWishOf(request)), signal),
    workloadEnvironment: async (request) =>
      environmentMessage(await state.workloadEnvironment(environmentWishOf(request))),
    stopExpose: (request, { signal }) => exposeStream(state.stopExpose(stopExposeWishOf(request)), signal),
  };
}

function clusterMessage(info: ClusterInfo): MessageInitShape<typeof ClusterInfoSchema> {
  return { ...info, namespaces: [...info.namespaces] };
}

function serviceMessage(row: ServiceRow): MessageInitShape<typeof ListServiceSchema> {
  return {
    ...row,
    stats: row.stats && statsMessage(row.stats),
    ports: [...row.ports],
    names: [...row.names],
    skippedNames: row.skippedNames.map((skipped) => ({ ...skipped })),
    portRows: row.portRows.map(portMessage),
    pods: row.pods.map((pod) => ({ ...pod, names: [...pod.names], ports: pod.ports.map(portMessage) })),
  };
}

function portMessage(row: PortRow): MessageInitShape<typeof PortRowSchema> {
  return { ...row };
}
