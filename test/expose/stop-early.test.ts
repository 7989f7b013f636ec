/** An exposure that is stopped while it is only looked at, or at the daemon's end while the API server is away. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { openFaultLab } from "./fault-lab.ts";

/** What a start throws: not `aborted`, which a client takes for the daemon's end. */
const givenBack = (key: string) => ({
  code: "conflict",
  message: `Cannot expose "${key}": it was given back before traffic could flow`,
});

test("Exposures.stop() before the preflight is over ends it, and nothing was changed", {
  timeout: 120_000,
}, async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("early");
  await using daemon = place.daemon();
  const state = place.state();
  const started = assert.rejects(daemon.expose(), givenBack("early/cart"));
  await daemon.stop();
  await started;
  assert.deepEqual([place.state(), place.leftovers(), daemon.exposures.views], [state, [], []]);
  await assert.rejects(daemon.stop(), { code: "not-found" });
});

test("Exposures.stop() in the middle of a start says so to who has started", { timeout: 120_000 }, async () => {
  await using lab = await openFaultLab({ podProblem: () => ({ reason: "ContainerCreating", message: "" }) });
  using place = await lab.namespace("middle");
  await using daemon = place.daemon();
  const state = place.state();
  const started = assert.rejects(daemon.expose(), givenBack("middle/cart"));
  while (!place.leftovers().some((name) => name.startsWith("pods"))) await sleep(20);
  await daemon.stop();
  await started;
  assert.deepEqual([place.state(), place.leftovers(), daemon.exposures.views], [state, [], []]);
});

test("Exposures.expose() ends at once when the API server goes away before anything is made", {
  timeout: 60_000,
}, async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("gone");
  await using daemon = place.daemon();
  let isAway = false;
  const fault = lab.sandbox.server.faults.onRequest(
    (call) => {
      isAway ||= call?.verb === "create" && call.resource.plural === "secrets";
      return isAway && call?.verb !== "watch";
    },
    { kind: "failure", code: 503 },
    100_000,
  );
  await assert.rejects(daemon.expose(), ({ code, message }) => {
    assert.equal(code, "unavailable");
    assert.doesNotMatch(message, /put back/);
    return true;
  });
  assert.deepEqual([daemon.exposures.views, place.leftovers()], [[], []]);
  fault[Symbol.dispose]();
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
