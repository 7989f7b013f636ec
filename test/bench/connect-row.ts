/** Row connect: how long a new connection takes until its first byte has come back, near the API server and far from it. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Address, type Contender, everyPort, type RunningContender } from "./contender.ts";
import { demandAll, echoAll, echoOnce } from "./echo.ts";
import { openFarLab } from "./far-lab.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { relayContender } from "./relay-contender.ts";
import { type Row, type RowContext, settleMs, warmUp } from "./row.ts";
import { percentile, spreadOf } from "./statistics.ts";
import { inTurns, inTurnsRunning, type Startable } from "./turns.ts";

const roundTripMs = 20;
/** What a start has still to do goes on after its last word. */
const startedMs = 1_000;

const less = { better: "less" } as const;
const near = {
  median: { ...less, name: "warm connect to first echoed byte, p50", unit: "ms", reach: "≤ 0.6 × kubectl" },
  tail: { ...less, name: "warm connect to first echoed byte, p99", unit: "ms" },
  cold: { ...less, name: "cold connect to first echoed byte", unit: "ms" },
} as const;
const far = {
  median: { ...less, name: `warm, with ${roundTripMs} ms added, p50`, unit: "ms" },
  trips: { ...less, name: `warm, with ${roundTripMs} ms added`, unit: "round trips", reach: "≤ 1.25" },
  cold: { ...less, name: `cold, with ${roundTripMs} ms added`, unit: "ms" },
  coldTrips: { ...less, name: `cold, with ${roundTripMs} ms added`, unit: "round trips", reach: "≤ 5" },
} as const;

/** The same contender twice. */
interface Both extends AsyncDisposable {
  readonly near: RunningContender;
  readonly far: RunningContender;
}

const limits = `Warm and near, what is left is the cluster's: API server, kubelet and container runtime each pass the bytes on, and the
runtime starts a stream (a thread and a TCP connection inside the pod) for each connection. Far away it is light: both SYNs and the
first bytes leave in one write, so that one round trip is the least there can be. Cold, a TCP and a TLS handshake and the upgrade
come before it, a round trip each; none can be saved without a connection that is open beforehand.`;

/** Connections one after the other, each with one byte there and back. */
export const connectRow: Row = {
  limits,
  async measure(context) {
    const { settings, recorder, openLab, signal } = context;
    const { connects, farConnects, coldStarts } = settings;
    recorder.note(
      `${connects} connections one after the other for each sample, ${farConnects} far away, after 20 for warm-up`,
    );
    recorder.note(
      `far: through a relay before the API server that holds all bytes ${roundTripMs / 2} ms each way, a new connection's first ones a round trip more (its handshake)`,
    );
    recorder.note(`round trips: (median far − median near) / ${roundTripMs} ms, both of the same sample`);
    recorder.note(
      `cold: the first connection of a fresh localizer, median of ${coldStarts} starts a sample; kubectl makes its connection when it starts, so it has no cold one`,
    );
    recorder.note(
      "relay goes to an echo on loopback, not to the pod: the ceiling for a tool in Node, no cluster in it; far away it dials for each connection anew, 2 round trips",
    );
    await using lab = await openLab({ ports: everyPort });
    await using farLab = await openFarLab(lab, roundTripMs, signal);
    const localizer = pair(localizerContender(lab), localizerContender(farLab));
    await measureWarm(context, [
      localizer,
      pair(kubectlContender(lab), kubectlContender(farLab)),
      pair(relayContender(), relayContender(roundTripMs / 2)),
    ]);
    await measureCold(context, localizer);
  },
};

function pair(nearOne: Contender, farOne: Contender): Startable<Both> {
  return {
    name: nearOne.name,
    async start(signal) {
      await using all = new AsyncDisposableStack();
      const both = { near: all.use(await nearOne.start(signal)), far: all.use(await farOne.start(signal)) };
      const works = all.move();
      return { ...both, [Symbol.asyncDispose]: () => works.disposeAsync() };
    },
  };
}

async function measureWarm(
  { settings, recorder, signal, log }: RowContext,
  contenders: readonly Startable<Both>[],
): Promise<void> {
  const { connects, farConnects, repeats } = settings;
  const echoes = async (address: Address, count: number) => {
    const outcome = await echoAll(
      Array.from({ length: count }, () => address),
      { workers: 1, signal },
    );
    demandAll(outcome);
    return outcome.latenciesMs;
  };
  await inTurnsRunning<Both>(
    contenders,
    { repeats, signal, log, recorder },
    {
      async warmUp(both) {
        await warmUp(both.near, signal);
        await warmUp(both.far, signal);
      },
      async take({ name }, both) {
        const nearMs = await echoes(both.near.address("echo"), connects);
        const farMs = await echoes(both.far.address("echo"), farConnects);
        await sleep(settleMs, undefined, { signal });
        const [nearMedian, farMedian] = [percentile(nearMs, 50), percentile(farMs, 50)];
        return () => {
          recorder.add(near.median, name, nearMedian);
          recorder.add(near.tail, name, percentile(nearMs, 99));
          recorder.add(far.median, name, farMedian);
          recorder.add(far.trips, name, (farMedian - nearMedian) / roundTripMs);
        };
      },
    },
  );
}

async function measureCold({ settings, recorder, signal, log }: RowContext, one: Startable<Both>): Promise<void> {
  const { coldStarts, repeats } = settings;
  await inTurns([one], { repeats, signal, log, recorder }, async ({ name, start }) => {
    const [nearMs, farMs]: [number[], number[]] = [[], []];
    for (let count = 0; count < coldStarts; count++) {
      await using both = await start(signal);
      await sleep(startedMs, undefined, { signal });
      nearMs.push(await echoOnce(both.near.address("echo")));
      farMs.push(await echoOnce(both.far.address("echo")));
    }
    const [nearMedian, farMedian] = [spreadOf(nearMs).median, spreadOf(farMs).median];
    return () => {
      recorder.add(near.cold, name, nearMedian);
      recorder.add(far.cold, name, farMedian);
      recorder.add(far.coldTrips, name, (farMedian - nearMedian) / roundTripMs);
    };
  });
}
