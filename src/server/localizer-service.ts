/** The handlers of api.v1.LocalizerService: ask the daemon, answer with a message; nothing else. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type {
  ClusterInfoSchema,
  ListServiceSchema,
  LocalizerService,
  PortRowSchema,
} from "../rpc/gen/api/v1/localizer_pb.ts";
import type { ClusterInfo } from "../rpc/listed.ts";
import type { DaemonState, PortRow, ServiceRow } from "./daemon-state.ts";

/** `stop` is the daemon's orderly stop; it may be called more than once and stops once. */
export function localizerService(
  state: Pick<DaemonState, "list" | "leftOut" | "selector" | "isStable" | "cluster" | "notices">,
  stop: () => Promise<void>,
): ServiceImpl<typeof LocalizerService> {
  const cluster = () => clusterMessage(state.cluster());
  return {
    list: () => ({
      services: state.list().map(serviceMessage),
      cluster: cluster(),
      notices: [...state.notices()],
      leftOut: state.leftOut().map((left) => ({ ...left })),
      selector: state.selector(),
    }),
    ping: () => ({ cluster: cluster() }),
    stable: () => ({ stable: state.isStable(), cluster: cluster() }),
    async kill() {
      await stop();
      return {};
    },
    exposeService({ namespace, service }) {
      throw notYet(`Cannot expose "${namespace}/${service}"`);
    },
    stopExpose({ namespace, service }) {
      throw notYet(`Cannot stop exposing "${namespace}/${service}"`);
    },
  };
}

function clusterMessage(info: ClusterInfo): MessageInitShape<typeof ClusterInfoSchema> {
  return { ...info, namespaces: [...info.namespaces] };
}

function serviceMessage(row: ServiceRow): MessageInitShape<typeof ListServiceSchema> {
  return {
    ...row,
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

function notYet(action: string): ConnectError {
  return new ConnectError(`${action}: this version of localizer cannot expose services yet`, Code.Unimplemented);
}
