/** The handlers of api.v1.LocalizerService: ask the daemon, answer with a message; nothing else. */
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { LocalizerService } from "../rpc/gen/api/v1/localizer_pb.ts";
import type { DaemonState } from "./daemon-state.ts";

/** `stop` is the daemon's orderly stop; it may be called more than once and stops once. */
export function localizerService(
  state: Pick<DaemonState, "list" | "isStable">,
  stop: () => Promise<void>,
): ServiceImpl<typeof LocalizerService> {
  return {
    list: () => ({ services: state.list().map((row) => ({ ...row, ports: [...row.ports] })) }),
    ping: () => ({}),
    stable: () => ({ stable: state.isStable() }),
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

function notYet(action: string): ConnectError {
  return new ConnectError(`${action}: this version of localizer cannot expose services yet`, Code.Unimplemented);
}
