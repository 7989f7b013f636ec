/** What the daemon answers about exposures. */
import { LocalizerError } from "../errors.ts";
import type { DaemonState } from "../server/daemon-state.ts";

/** Says that it cannot expose yet. */
export function exposeState(): Pick<DaemonState, "expose" | "stopExpose" | "exposures"> {
  return {
    expose({ namespace, service }) {
      throw new LocalizerError("usage", `Cannot expose "${namespace}/${service}": this version cannot expose yet`);
    },
    stopExpose({ namespace, service }) {
      throw new LocalizerError(
        "usage",
        `Cannot stop exposing "${namespace}/${service}": this version cannot expose yet`,
      );
    },
    exposures: () => [],
  };
}
