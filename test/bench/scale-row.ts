/** Row scale: a Service whose pods all go, and come back. */
import type { Contender } from "./contender.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import type { Lab } from "./lab.ts";
import { localizerContender } from "./localizer-contender.ts";
import type { Measure, Value } from "./results.ts";
import { type Row, warmUp } from "./row.ts";
import { type SliceWatch, watchSlice } from "./slice-watch.ts";
import { firstSuccessAfter, gapSince, type SteadyEcho, startSteadyEcho } from "./steady-echo.ts";
import { inTurns } from "./turns.ts";

const everyMs = 20;
/** Longer than localizer lets a connection wait for a pod. */
const timeoutMs = 8_000;
/** Longer than localizer keeps its listener open without a pod. */
const emptyMs = 7_000;
const patienceMs = 3_000;
const pods = 2;

const gaps = [
  { name: "0 pods for 7 s", emptyMs },
  { name: "0 pods for a moment", emptyMs: 0 },
] as const;

const limits = `The listener is opened again when the watch has brought the slice, a few ms after the API server has it; then a first connection is
a cold one: TCP, TLS, upgrade. A gap of less than 5 s is bridged: connections wait, and the first ready pod takes them all at once.`;

/** What is seen while all pods are gone. */
interface Sample {
  readonly readyToSuccessMs: Value;
  readonly failed: Value;
  /** Of them without a connection, and cut before the echo; the rest had none in time. */
  readonly refused: number;
  readonly cut: number;
  /** From the last ready pod to the first new one, by the slice. */
  readonly gapMs: number;
}

/** Two pods each time. */
export const scaleRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    recorder.note(
      `${pods} pods, then none, then ${pods}; a new connection with one echo every ${everyMs} ms all the while`,
    );
    recorder.note(
      "ready: when the EndpointSlice says so, by a watch of the bench's own; 0 pods for a moment: scaled up again when the slice has no ready pod left, so that the cluster needs as long as it needs for a pod (in the JSON file)",
    );
    recorder.note(
      `ready to first success: from the slice to the echo; up to ${everyMs} ms of it are the client's own pace`,
    );
    recorder.note(
      'failed: of the connections made after the moment of scaling down, in the second case; "exits": the tool ended',
    );
    await using lab = await openLab({ ports: ["echo", "http"], pods });
    await using slice = await watchSlice(lab, signal);
    const contenders = [localizerContender(lab), kubectlContender(lab)];
    for (const gap of gaps) {
      await inTurns(contenders, { repeats: settings.repeats, signal, log, recorder }, async (contender) => {
        const sample = await scaleDownAndUp(lab, contender, { slice, emptyMs: gap.emptyMs, signal });
        return () => {
          const { name } = contender;
          recorder.add(less(`${gap.name}: ready to first success`, "ms", "≤ 100"), name, sample.readyToSuccessMs);
          if (gap.emptyMs === 0) recorder.add(less(`${gap.name}: failed connections`, "", "0"), name, sample.failed);
          recorder.add({ ...less(`${gap.name}: without a connection`, ""), detail: true }, name, sample.refused);
          recorder.add({ ...less(`${gap.name}: cut before the echo`, ""), detail: true }, name, sample.cut);
          recorder.add({ ...less(`${gap.name}: no pod ready for`, "ms"), detail: true }, name, sample.gapMs);
        };
      });
    }
  },
};

function less(name: string, unit: string, reach?: string): Measure {
  return { name, unit, better: "less", ...(reach === undefined ? {} : { reach }) };
}

async function scaleDownAndUp(
  lab: Lab,
  contender: Contender,
  { slice, emptyMs, signal }: { readonly slice: SliceWatch; readonly emptyMs: number; readonly signal: AbortSignal },
): Promise<Sample> {
  await scale(lab, pods, signal);
  await lab.cluster.waitForEndpoints(lab.namespace, "app", pods);
  await using running = await contender.start(signal);
  await warmUp(running, signal);
  await using steady = startSteadyEcho(running.address("echo"), { everyMs, timeoutMs });
  const sinceMs = performance.now();
  await scale(lab, 0, signal);
  // Not before they are gone: the controller looks at the last wish only.
  const goneMs = await slice.changed(false, sinceMs);
  await running.process.endWithin(emptyMs, signal);
  await scale(lab, pods, signal);
  const readyMs = await slice.changed(true, goneMs);
  await running.process.endWithin(patienceMs, signal);
  const attempts = await steadyEnd(steady, running.process.isRunning);
  const firstMs = firstSuccessAfter(attempts, Math.max(goneMs, readyMs - everyMs));
  const { refused, cut, late } = gapSince(attempts, sinceMs);
  const end = running.process.isRunning ? "never" : "exits";
  return {
    readyToSuccessMs: firstMs === undefined ? end : Math.max(0, firstMs - readyMs),
    failed: firstMs === undefined ? end : refused + cut + late,
    refused,
    cut,
    gapMs: readyMs - goneMs,
  };
}

/** Of a tool that has ended nothing more is to be expected. */
function steadyEnd(steady: SteadyEcho, isRunning: boolean): Promise<SteadyEcho["attempts"]> | SteadyEcho["attempts"] {
  return isRunning ? steady.stop() : steady.attempts;
}

async function scale(lab: Lab, replicas: number, signal: AbortSignal): Promise<void> {
  const path = `/apis/apps/v1/namespaces/${lab.namespace}/deployments/app/scale`;
  const { status, body } = await lab.cluster.api.send("PATCH", path, { spec: { replicas } }, signal);
  if (status !== 200) throw new Error(`Cannot scale: ${status} ${JSON.stringify(body)}`);
}
