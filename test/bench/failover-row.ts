/** Row failover: the pod in use is deleted while another is ready. */
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Address, Contender } from "./contender.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import type { Lab } from "./lab.ts";
import { localizerContender } from "./localizer-contender.ts";
import type { Measure, Value } from "./results.ts";
import { type Row, warmUp } from "./row.ts";
import { gapSince, startSteadyEcho } from "./steady-echo.ts";
import { inTurns } from "./turns.ts";

const everyMs = 20;
const timeoutMs = 2_000;
const beforeMs = 1_000;
const afterMs = 5_000;

const ways = [
  { name: "deleted, grace 2 s", graceSeconds: 2 },
  { name: "deleted by force", graceSeconds: 0 },
] as const;

const limits = `What was on its way to the application in the moment of its end is lost with it and is cut, for nobody may send it twice;
everything that provably reached nobody goes to the other pod. The gap is then one connection that was tried in vain, and the
time that the runtime takes to refuse.`;

/** Two pods; a new one takes the place of each that is deleted, before the next sample. */
export const failoverRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    recorder.note(
      `two pods, a new connection with one echo every ${everyMs} ms; the pod that the tool uses is deleted, and ${afterMs / 1000} s from then count`,
    );
    recorder.note(
      `failed: without a connection, cut before the echo, or none in ${timeoutMs / 1000} s (each kind in the JSON file); gap: the longest time between two echoes`,
    );
    recorder.note(`"exits": the tool ended; "never": it lives, and nothing works any more`);
    await using lab = await openLab({ ports: ["echo", "http"], pods: 2 });
    const contenders = [localizerContender(lab), kubectlContender(lab)];
    for (const { name: way, graceSeconds } of ways) {
      await inTurns(contenders, { repeats: settings.repeats, signal, log, recorder }, async (contender) => {
        await lab.cluster.waitForReadyPods(lab.namespace, "app=app", 2);
        await lab.cluster.waitForEndpoints(lab.namespace, "app", 2);
        const samples = await sample(lab, contender, { way, graceSeconds, signal });
        return () => recorder.addAll(samples, contender.name);
      });
    }
  },
};

async function sample(
  lab: Lab,
  contender: Contender,
  { way, graceSeconds, signal }: { readonly way: string; readonly graceSeconds: number; readonly signal: AbortSignal },
): Promise<readonly (readonly [Measure, Value])[]> {
  await using running = await contender.start(signal);
  await warmUp(running, signal);
  const victim = await podBehind(running.address("http"));
  await using steady = startSteadyEcho(running.address("echo"), { everyMs, timeoutMs });
  await sleep(beforeMs, undefined, { signal });
  const sinceMs = performance.now();
  await deletePod(lab, victim, graceSeconds, signal);
  await running.process.endWithin(afterMs, signal);
  const attempts = await steady.stop();
  const { refused, cut, late, longestMs } = gapSince(attempts, sinceMs);
  // Answers of the first moments may still have come from the pod that ends.
  const worksAtLast = attempts.some(
    ({ startedMs, outcome }) => startedMs > sinceMs + afterMs / 2 && outcome === "answered",
  );
  const end = running.process.isRunning ? "never" : "exits";
  const less = { better: "less" } as const;
  const detail = { ...less, unit: "", detail: true } as const;
  return [
    [{ ...less, name: `${way}: failed connections`, unit: "", reach: "0" }, worksAtLast ? refused + cut + late : end],
    [{ ...less, name: `${way}: longest gap`, unit: "ms" }, worksAtLast && longestMs !== undefined ? longestMs : end],
    [{ ...detail, name: `${way}: without a connection` }, refused],
    [{ ...detail, name: `${way}: cut before the echo` }, cut],
    [{ ...detail, name: `${way}: no echo in time` }, late],
  ];
}

async function deletePod(lab: Lab, name: string, gracePeriodSeconds: number, signal: AbortSignal): Promise<void> {
  const path = `/api/v1/namespaces/${lab.namespace}/pods/${name}?gracePeriodSeconds=${gracePeriodSeconds}`;
  const { status } = await lab.cluster.api.send("DELETE", path, undefined, signal);
  if (status !== 200) throw new Error(`Cannot delete pod "${name}": ${status}`);
}

/** The test application's http names its pod. */
function podBehind({ host, port }: Address): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  get({ host, port, agent: false, timeout: 5_000 }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    response.on("error", reject);
    response.on("end", () => {
      const pod = /^hello from \S+ on (\S+):/m.exec(text)?.[1];
      if (pod === undefined) reject(new Error(`Who answers says no name: ${text}`));
      else resolve(pod);
    });
  }).on("error", reject);
  return promise;
}
