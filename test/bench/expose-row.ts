/** Row expose: from the command until the local process serves, and from the end until the workload serves again. */
import { setTimeout as sleep } from "node:timers/promises";
import { at } from "../../src/kube/json.ts";
import { applicationPorts, everyPort } from "./contender.ts";
import { startExposingDaemon } from "./exposure-contenders.ts";
import type { Lab } from "./lab.ts";
import { portOf, startLocalApplication } from "./relay-contender.ts";
import { effectOf, nowMs, startRequests } from "./request-log.ts";
import type { Measure, Value } from "./results.ts";
import { packageNote, type Row } from "./row.ts";
import { inTurns } from "./turns.ts";

const everyMs = 50;
/** Before the command, and behind its end, for what it leaves behind. */
const restMs = 2_000;
const pods = 2;
/** kube-proxy has heard of it by then. */
const preStopSeconds = 2;
/** What local-application.ts calls itself. */
const isLocal = (name: string) => name === "local";
const isWorkload = (name: string) => !isLocal(name);

const seconds = { unit: "s", better: "less" } as const;
const count = { unit: "", better: "less", reach: "0" } as const;
const measures = {
  toLocal: { ...seconds, name: "command to first request served by the local process", reach: "≤ 3" },
  started: { ...seconds, name: "command to its end: the local process serves all" },
  failedStart: { ...count, name: "requests failed during the start" },
  toWorkload: { ...seconds, name: "stop to first request served by the workload" },
  stopped: { ...seconds, name: "stop to its end: the workload serves all" },
  failedStop: { ...count, name: "requests failed during the stop" },
} as const satisfies Record<string, Measure>;

const limits = `Two thirds of the start are the cluster's: it schedules the pod and starts its container (1 s and more), and the kubelet, which asks once a second, has to see
the ports listen: its first look comes before the tunnel is up, so up to a second goes by until the next. The rest is the command's own start, the preflight's questions, the
rehearsals on the server and the records, each a write. The way back is the workload's own start; then our pod leaves the Service. Nothing fails because each side is there before the other goes.`;

/** One Service, two pods of a Deployment; the local process answers with another name. */
export const exposeRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    recorder.note(packageNote);
    recorder.note(
      `a Deployment of ${pods} pods; the command is "localizer expose", a process of its own, against a daemon that runs; the image of sshd is on the node`,
    );
    recorder.note(
      `${1000 / everyMs} requests a second from the node's network to the Service's own address (kube-proxy), each on a new connection; failed: of those that were under way between the command and ${restMs / 1000} s after its end`,
    );
    recorder.note(
      `the workload's pods go on for ${preStopSeconds} s when they are told to end (preStop), as those do that lose nothing in a rollout: else requests that kube-proxy still sends there fail, exposed or not`,
    );
    recorder.note("kubectl and relay have no part in it: ssh -R through kubectl port-forward scales nothing");
    await using lab = await openLab({ ports: everyPort, pods });
    await letPodsEndInOrder(lab, signal);
    const service = { host: await clusterAddress(lab, signal), port: applicationPorts.http };
    const { netnsPath } = lab.cluster.layout;
    await inTurns([{ name: "localizer" }], { repeats: settings.repeats, signal, log, recorder }, async ({ name }) => {
      await lab.cluster.waitForEndpoints(lab.namespace, "app", pods);
      await using local = await startLocalApplication(signal);
      await using daemon = await startExposingDaemon(lab, signal);
      await using log_ = await startRequests(service, { everyMs, netnsPath, signal });
      await sleep(restMs, undefined, { signal });
      const start = await timed(() => daemon.expose([`${portOf(local, "http")}:http`]), signal);
      const stop = await timed(() => daemon.stop(), signal);
      const requests = await log_.stop();
      const started = effectOf(requests, { ...start, by: isLocal });
      const stopped = effectOf(requests, { ...stop, by: isWorkload });
      for (const reason of [...started.reasons, ...stopped.reasons]) recorder.note(`a request failed with ${reason}`);
      return () =>
        recorder.addAll(
          [
            [measures.toLocal, inSeconds(started.firstMs)],
            [measures.started, inSeconds(start.tookMs)],
            [measures.failedStart, started.failed],
            [measures.toWorkload, inSeconds(stopped.firstMs)],
            [measures.stopped, inSeconds(stop.tookMs)],
            [measures.failedStop, stopped.failed],
          ],
          name,
        );
    });
  },
};

async function timed(command: () => Promise<void>, signal: AbortSignal) {
  const sinceMs = nowMs();
  await command();
  const tookMs = nowMs() - sinceMs;
  await sleep(restMs, undefined, { signal });
  return { sinceMs, tookMs, untilMs: nowMs() };
}

function inSeconds(ms: number | undefined): Value {
  return ms === undefined ? "never" : ms / 1000;
}

async function clusterAddress(lab: Lab, signal: AbortSignal): Promise<string> {
  const service = await lab.cluster.api.get(`/api/v1/namespaces/${lab.namespace}/services/app`, signal);
  return String(at(service, "spec", "clusterIP"));
}

/** The test application ends at once when it is told to. Resolves when both pods are those that do not. */
async function letPodsEndInOrder({ cluster, namespace }: Lab, signal: AbortSignal): Promise<void> {
  const container = { name: "app", lifecycle: { preStop: { sleep: { seconds: preStopSeconds } } } };
  const spec = { terminationGracePeriodSeconds: preStopSeconds * 3, containers: [container] };
  const patch = JSON.stringify({ spec: { template: { spec } } });
  const [deployment, where] = ["deployment/app", ["--namespace", namespace]];
  await cluster.kubectl([...where, "patch", deployment, "--type=strategic", `--patch=${patch}`], { signal });
  await cluster.kubectl([...where, "rollout", "status", deployment, "--timeout=60s"], { signal });
}
