/** An exposure whose local process is not there yet, in the simulated cluster. */
import assert from "node:assert/strict";
import { Socket } from "node:net";
import { test } from "node:test";
import { systemClock } from "../../src/clock.ts";
import { LocalizerError } from "../../src/errors.ts";
import type { DialLocal } from "../../src/net/dial-local.ts";
import { type LabDaemon, openFaultLab } from "./fault-lab.ts";

/** Steps of the lines, each once, and the lines of step `local`. */
async function exposed(daemon: LabDaemon, awaitLocal: boolean) {
  const lines = await daemon.expose({ awaitLocal });
  const local = lines.filter(({ step }) => step === "local").map(({ level, message }) => `${level}: ${message}`);
  return { steps: [...new Set(lines.map(({ step }) => step))], local };
}

test("Exposures.expose() warns before it touches the workload when nobody listens here", {
  timeout: 120_000,
}, async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("nobody");
  await using daemon = place.daemon();
  const { steps, local } = await exposed(daemon, false);
  assert.deepEqual(local, [
    "warn: Nothing listens on localhost:8080 yet: what comes there is refused until something does",
  ]);
  assert.deepEqual(steps.slice(-4), ["local", "labels", "scale-down", "exposed"]);
  const [view] = daemon.exposures.views;
  assert.partialDeepStrictEqual(view?.ports, [{ counts: { total: 0, refused: 0 } }]);
  await daemon.stop();
});

test("Exposures.expose() waits for a process that comes up, with the workload untouched", {
  timeout: 120_000,
}, async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("late");
  const before = JSON.stringify(place.state());
  const states: string[] = [];
  const dialLocal: DialLocal = async () => {
    states.push(JSON.stringify(place.state()));
    if (states.length <= 3) throw new LocalizerError("refused", "Nobody listens");
    return new Socket();
  };
  await using daemon = place.daemon({ dialLocal });
  const { local } = await exposed(daemon, true);
  assert.deepEqual(local, ["info: Waiting for localhost:8080"]);
  assert.deepEqual(states, Array(4).fill(before));
  await daemon.stop();
});

test("Exposures.expose() does not count the waiting for a process as its own time, and shows what it waits for", {
  timeout: 120_000,
}, async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("slow");
  const startMs = 3_000;
  let untilMs: number | undefined;
  const reasons = new Set<string | undefined>();
  const dialLocal: DialLocal = async () => {
    untilMs ??= systemClock.monotonic() + startMs + 300;
    if (systemClock.monotonic() >= untilMs) return new Socket();
    reasons.add(daemon.exposures.views[0]?.reason);
    throw new LocalizerError("refused", "Nobody listens");
  };
  await using daemon = place.daemon({ dialLocal, settings: { startMs } });
  const { steps } = await exposed(daemon, true);
  assert.equal(steps.at(-1), "exposed");
  assert.deepEqual([...reasons], ["", "Waiting for localhost:8080"]);
  assert.partialDeepStrictEqual(daemon.exposures.views, [{ state: "exposed", reason: "" }]);
  await daemon.stop();
});

test("Exposures.stop() ends the waiting for a process, and the workload was never touched", {
  timeout: 120_000,
}, async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("given-up");
  const before = place.state();
  await using daemon = place.daemon();
  const lines = daemon.exposing({ awaitLocal: true });
  const waited = assert.rejects(async () => {
    for await (const { step } of lines) {
      if (step === "local") void daemon.stop();
    }
  }, /was given back before traffic could flow$/);
  await waited;
  await lab.workloads.settled();
  assert.deepEqual([place.state(), place.leftovers(), daemon.exposures.views], [before, [], []]);
});
