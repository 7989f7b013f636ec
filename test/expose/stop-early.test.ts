/** An exposure that is stopped while it is only looked at, or at the daemon's end while the API server is away. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openFaultLab } from "./fault-lab.ts";

test("Exposures.stop() before the preflight is over ends it, and nothing was changed", {
  timeout: 120_000,
}, async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("early");
  await using daemon = place.daemon();
  const state = place.state();
  const started = daemon.expose().then(
    () => "exposed",
    (error: unknown) => String(error),
  );
  await daemon.stop();
  assert.match(await started, /stopped/i);
  assert.deepEqual([place.state(), place.leftovers(), daemon.exposures.views], [state, [], []]);
  await assert.rejects(daemon.stop(), { code: "not-found" });
});

test("Exposures end in the time they have, also in the middle of a start with the API server away", {
  timeout: 120_000,
}, async () => {
  // Our pod never runs.
  const podProblem = () => ({ reason: "ContainerCreating", message: "" });
  await using lab = await openFaultLab({ podProblem });
  using place = await lab.namespace("away");
  await using daemon = place.daemon({ settings: { endMs: 500 } });
  void daemon.expose().catch(() => {});
  while (!place.leftovers().some((name) => name.startsWith("pods"))) await sleep(20);
  const fault = lab.sandbox.server.faults.onRequest(
    (call) => call?.verb !== "watch",
    { kind: "failure", code: 503 },
    100_000,
  );
  const began = performance.now();
  await daemon.exposures[Symbol.asyncDispose]();
  assert.ok(performance.now() - began < 10_000, `${performance.now() - began} ms`);
  assert.ok(
    place.leftovers().some((name) => name.startsWith("journal")),
    "the next start knows of it",
  );
  // A process would have ended; here it comes to its end with the server.
  fault[Symbol.dispose]();
  while (place.leftovers().length > 0) await sleep(50);
});
