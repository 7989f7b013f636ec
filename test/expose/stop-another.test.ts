/** An exposure is stopped by its session: another one of the same Service, which somebody has begun since, lives on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openFaultLab } from "./fault-lab.ts";

test("Exposures.stop() with a session ends that one and no other", { timeout: 120_000 }, async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("another");
  await using daemon = place.daemon();
  const { exposures } = daemon;
  const stop = async (session: string) => {
    for await (const _line of exposures.stop(place.key, { wait: false, session }));
  };
  const exposed = async () => {
    await daemon.expose();
    return exposures.views[0]?.record.session ?? "";
  };
  const state = place.state();
  const first = await exposed();
  await stop(first);
  assert.deepEqual(place.state(), state);
  const second = await exposed();
  await assert.rejects(stop(first), { code: "not-found", message: /: it is exposed anew by now$/ });
  assert.deepEqual(
    exposures.views.map(({ record, state: is }) => [record.session, is]),
    [[second, "exposed"]],
  );
  await stop(second);
  await assert.rejects(stop(second), { code: "not-found", message: /: this daemon does not expose it$/ });
  assert.deepEqual(place.state(), state);
});

test("Exposures.stop() with a session leaves one that only begins alone", { timeout: 120_000 }, async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("beginning");
  await using daemon = place.daemon();
  const started = daemon.expose();
  const stopped = Array.fromAsync(daemon.exposures.stop(place.key, { wait: false, session: "an earlier one" }));
  await assert.rejects(stopped, { code: "not-found" });
  await started;
  await daemon.stop();
});
