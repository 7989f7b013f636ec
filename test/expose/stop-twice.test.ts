/** An exposure that is stopped while it is being stopped, in the simulated cluster: nobody is told that it is over before it is. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { textAt } from "../../src/kube/json.ts";
import { waitFor } from "../cluster/wait.ts";
import { allBack } from "./fault-cases.ts";
import { type FaultLab, type LabDaemon, type LabNamespace, openFaultLab } from "./fault-lab.ts";

/** No pod of a workload gets ready while a test lasts, so a stop that waits for one goes on and on. */
const never = 600_000;

describe("Exposures, stopped twice", { timeout: 120_000 }, () => {
  let lab: FaultLab;
  let place: LabNamespace;
  let daemon: LabDaemon;
  let state: unknown;
  let namespaces = 0;

  before(async () => {
    lab = await openFaultLab({ readyMs: never });
  });
  after(() => lab?.[Symbol.asyncDispose]());

  beforeEach(async () => {
    place = await lab.namespace(`twice${namespaces++}`);
    state = place.state();
    daemon = place.daemon({ settings: { readyMs: never, endMs: 4_000 } });
    await daemon.expose();
  });

  afterEach(() => daemon?.[Symbol.asyncDispose]());

  /** A stop that waits for the workload. */
  const waiting = async () => {
    const stopped = daemon.stop();
    stopped.catch(() => {});
    await waitFor("the owners to be back", () => JSON.stringify(place.state()) === JSON.stringify(state), {
      timeoutMs: 5_000,
      intervalMs: 10,
    });
    assert.ok(place.leftovers().length > 0);
    return { stopped };
  };
  /** Owners refuse to be written, until disposed. */
  const failing = (code: number) =>
    lab.sandbox.server.faults.onRequest(
      (call) => call?.verb === "patch" && call.resource.group === "apps",
      { kind: "failure", code },
      100_000,
    );
  const patches = ({ gate }: LabDaemon) =>
    gate.tries.filter((name) => /^PATCH (deployments|statefulsets)$/.test(name)).length;
  const tried = (one: LabDaemon, before: number) =>
    waitFor("a try", () => patches(one) > before + 1 || undefined, { timeoutMs: 5_000, intervalMs: 10 });
  const isBack = () => allBack(lab, place, state);

  test("a second stop that does not wait ends both", async () => {
    const { stopped } = await waiting();
    for await (const _line of daemon.exposures.stop(place.key, { wait: false }));
    await isBack();
    await stopped;
  });

  test("a second stop while the API server is away goes on where the first was, as whose session it is", async () => {
    const leases = lab.sandbox.server.resource("leases.coordination.k8s.io");
    const [namespace] = place.key.split("/");
    const holders = new Set<unknown>();
    using _watch = lab.sandbox.server.store.subscribe(() => {
      for (const lease of lab.sandbox.server.store.list(leases, namespace)) {
        holders.add(textAt(lease, "spec", "holderIdentity"));
      }
    });
    const away = failing(503);
    const before = patches(daemon);
    const stopped = daemon.stop();
    await tried(daemon, before);
    const again = Array.fromAsync(daemon.exposures.stop(place.key, { wait: false }));
    await clock.sleep(300);
    assert.equal(daemon.exposures.views[0]?.state, "stopping");
    away[Symbol.dispose]();
    await again;
    await stopped;
    await isBack();
    assert.ok(![...holders].some((holder) => String(holder).startsWith("restore:")), [...holders].join());
  });

  test("the daemon's end in the middle of a stop puts everything back before it is over", async () => {
    const { stopped } = await waiting();
    await daemon.exposures[Symbol.asyncDispose]();
    await isBack();
    await stopped;
  });

  test("the daemon's end waits for no user's stop that has come before a try of its own", async () => {
    await using hasty = place.daemon({ hasty: true, settings: { readyMs: never, endMs: 4_000 } });
    await daemon.exposures[Symbol.asyncDispose]();
    await hasty.expose();
    const denied = failing(403);
    await assert.rejects(hasty.stop(), { code: "denied" });
    const away = failing(503);
    denied[Symbol.dispose]();
    await tried(hasty, patches(hasty));
    const stopped = hasty.stop().catch(() => {});
    away[Symbol.dispose]();
    const isUp = () => JSON.stringify(place.state()) === JSON.stringify(state) || undefined;
    await waitFor("the owners to be back", isUp, { timeoutMs: 5_000, intervalMs: 10 });
    await hasty.exposures[Symbol.asyncDispose]();
    await isBack();
    await stopped;
  });
});
