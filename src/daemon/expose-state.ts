/** What the daemon answers about exposures: words of the wire to those of the room, and back. Lines go to the log, too. */
import type { Exposures } from "../expose/exposures.ts";
import type { ExposeWish as Wish } from "../expose/exposures-parts.ts";
import { LineFeed } from "../expose/line-feed.ts";
import type { ExposeLine } from "../expose/report.ts";
import type { SessionView } from "../expose/session-view.ts";
import type { Logger } from "../log.ts";
import { nameOf, namespaceOf, type ServiceKey, serviceKey } from "../model/service-key.ts";
import type { ExposeWish } from "../rpc/exposing.ts";
import type { ListedExposure } from "../rpc/listed-exposure.ts";
import type { DaemonState } from "../server/daemon-state.ts";

/** Answers for the exposures. */
export function exposeState(
  exposures: Pick<Exposures, "expose" | "stop" | "views">,
  log: Logger,
): Pick<DaemonState, "expose" | "stopExpose" | "exposures"> {
  return {
    expose(wish) {
      const key = serviceKey(wish.namespace, wish.service);
      return logged(exposures.expose(wishOf(key, wish)), log, { key, failed: "Cannot expose" });
    },
    stopExpose({ namespace, service, noWait, session }) {
      const key = serviceKey(namespace, service);
      return logged(exposures.stop(key, { wait: !noWait, session }), log, { key, failed: "Cannot stop exposing" });
    },
    exposures: () => exposures.views.map(listedExposure),
  };
}

function wishOf(key: ServiceKey, wish: ExposeWish): Wish {
  const { portMaps, dryRun, yes, takeOver, allowVolumeLoss, allowPartial, awaitLocal, pod } = wish;
  return { key, maps: portMaps, dryRun, isConfirmed: yes, takeOver, allowVolumeLoss, allowPartial, awaitLocal, pod };
}

/** The same lines, which are also logged, whether or not anybody reads them. */
function logged(
  lines: AsyncIterable<ExposeLine>,
  log: Logger,
  { key, failed }: { readonly key: ServiceKey; readonly failed: string },
): AsyncIterable<ExposeLine> {
  const feed = new LineFeed();
  void feed.follow(async (report) => {
    try {
      for await (const line of lines) {
        log[line.level](line.message, { key, step: line.step });
        report(line);
      }
    } catch (error) {
      log.error(failed, { key, error });
      throw error;
    }
  });
  return feed;
}

function listedExposure({ record, state, reason, pod, ports }: SessionView): ListedExposure {
  const { key, session, since, owners, holder } = record;
  return {
    namespace: namespaceOf(key),
    service: nameOf(key),
    ...{ session, state, reason, pod, holder },
    since: Date.parse(since),
    owners: owners.map(({ kind, name, replicas }) => ({ kind, name, replicas })),
    ports: ports.map(({ local, remote, name, counts }) => ({
      ...{ local, remote, name },
      connections: counts.open,
      connectionsTotal: counts.total,
      bytesIn: counts.bytesIn,
      bytesOut: counts.bytesOut,
      refused: counts.refused,
      lastError: counts.lastError ?? "",
    })),
  };
}
