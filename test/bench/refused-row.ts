/** Row refused: a connection to a port on which nobody listens, and what it does to others. */
import { connect } from "node:net";
import { type Address, everyPort, type RunningContender } from "./contender.ts";
import { echoOnce } from "./echo.ts";
import { kubectlContender } from "./kubectl-contender.ts";
import { localizerContender } from "./localizer-contender.ts";
import { openLongClients } from "./long-clients.ts";
import type { Value } from "./results.ts";
import { type Row, warmUp } from "./row.ts";
import { spreadOf } from "./statistics.ts";
import { inTurns } from "./turns.ts";

const quietMs = 500;
const patienceMs = 5_000;
const echoMs = 2_000;
const refusalTimeoutMs = 8_000;

const less = { better: "less" } as const;
const works = { ...less, name: "refusal to the first echo of another port", unit: "ms", reach: "at once" } as const;
const failed = { ...less, name: "connections that fail meanwhile", unit: "", reach: "0" } as const;
const lives = { better: "more", name: "bystander connections that live", unit: "%", reach: "100" } as const;

const limits = `Nothing but an echo on a new connection: the refused one had a connection to the pod of its own, which is closed, and the
next one takes another. Older runtimes can be stuck by what was sent behind a refusal, so it is never used again.`;

/** What one refusal did. */
interface Outcome {
  readonly worksAfterMs: Value;
  readonly failed: Value;
  readonly bystanderLives: boolean;
}

/** A fresh process for each sample, for kubectl ends with the first refusal. */
export const refusedRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    const { refusals, repeats } = settings;
    recorder.note(
      `${refusals} refusals for each sample: a bystander is connected, then one to port 7999, where nobody listens, and at once others to 7000 until ${quietMs / 1000} s have passed without a failure`,
    );
    recorder.note(
      `"exits": the tool ended with the refusal; "never": it lives, and nothing works for ${patienceMs / 1000} s`,
    );
    await using lab = await openLab({ ports: everyPort });
    const contenders = [localizerContender(lab), kubectlContender(lab)];
    await inTurns(contenders, { repeats, signal, log, recorder }, async ({ name, start }) => {
      await using running = await start(signal);
      await warmUp(running, signal);
      const outcomes: Outcome[] = [];
      while (outcomes.length < refusals && running.process.isRunning) outcomes.push(await refuse(running, signal));
      return () => {
        recorder.add(works, name, medianOf(outcomes.map(({ worksAfterMs }) => worksAfterMs)));
        recorder.add(failed, name, medianOf(outcomes.map((outcome) => outcome.failed)));
        const living = outcomes.filter(({ bystanderLives }) => bystanderLives).length;
        recorder.add(lives, name, (100 * living) / outcomes.length);
      };
    });
  },
};

/** A word, where one says that it does not work, before any figure. */
function medianOf(values: readonly Value[]): Value {
  const numbers = values.filter((value) => typeof value === "number");
  return values.find((value) => typeof value === "string") ?? spreadOf(numbers).median;
}

async function refuse(running: RunningContender, signal: AbortSignal): Promise<Outcome> {
  await using bystander = await openLongClients(running.address("echo"), 1, signal);
  await connectInVain(running.address("refused"));
  const startedMs = performance.now();
  let [firstMs, failures]: [number | undefined, number] = [undefined, 0];
  while (performance.now() - (firstMs ?? startedMs) < (firstMs === undefined ? patienceMs : quietMs)) {
    signal.throwIfAborted();
    try {
      await echoOnce(running.address("echo"), echoMs);
      firstMs ??= performance.now();
    } catch {
      failures++;
      firstMs = undefined;
      if (!running.process.isRunning) return { worksAfterMs: "exits", failed: "exits", bystanderLives: false };
    }
  }
  const { answered } = await bystander.round({ everyMs: 10, forMs: 30, timeoutMs: echoMs });
  const worksAfterMs = firstMs === undefined ? "never" : firstMs - startedMs;
  return { worksAfterMs, failed: failures, bystanderLives: answered === 1 };
}

/** A byte, and then the end that comes, whatever its kind. Throws when none comes in 8 s. */
function connectInVain({ host, port }: Address): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect({ host, port, noDelay: true });
  socket.setTimeout(refusalTimeoutMs, () => {
    reject(new Error("Nobody listens, but the connection does not end"));
    socket.destroy();
  });
  socket.on("error", () => {});
  socket.on("connect", () => socket.write("x"));
  socket.on("close", () => resolve());
  socket.resume();
  return promise;
}
