/** An exposure that is stopped while it is being stopped, in the simulated cluster: nobody is told that it is over before it is. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { waitFor } from "../cluster/wait.ts";
import { type FaultLab, type LabDaemon, type LabNamespace, openFaultLab } from "./fault-lab.ts";

/** No pod of a workload gets ready while a test lasts, so a stop that waits for one goes on and on. */
const never = 600_000;

describe("Exposures, stopped twice", { timeout: 30_000 }, () => {
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
    daemon = place.daemon({ settings: { readyMs: never, endMs: 500 } });
    await daemon.expose();
  });

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
  const isBack = async () => {
    await lab.workloads.settled();
    assert.deepEqual(place.leftovers(), []);
    assert.deepEqual(place.state(), state);
  };

  test("a second stop that does not wait ends both", async () => {
    const { stopped } = await waiting();
    for await (const _line of daemon.exposures.stop(place.key, { wait: false }));
    await isBack();
    await stopped;
  });

  test("the daemon's end in the middle of a stop puts everything back before it is over", async () => {
    const { stopped } = await waiting();
    await daemon.exposures[Symbol.asyncDispose]();
    await isBack();
    await stopped;
  });
});
