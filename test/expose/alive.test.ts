/** A session is alive for others from its Lease's making to its end, however long its start and its stop take. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { codeOf } from "../../src/errors.ts";
import { leaseRef } from "../../src/expose/session-lease.ts";
import { Objects } from "../../src/kube/objects.ts";
import { openFaultLab } from "./fault-lab.ts";

/** Pods of sessions do not come to run until they are let. */
async function slowLab() {
  const gate = { isShut: true };
  const lab = await openFaultLab({
    podProblem: (pod) =>
      gate.isShut && pod.metadata.labels?.["localizer.dev/session"] !== undefined
        ? { reason: "ContainerCreating", message: "" }
        : undefined,
  });
  const place = await lab.namespace("a");
  const podName = () =>
    place
      .leftovers()
      .find((name) => name.startsWith("pods"))
      ?.split(" ")[1];
  return {
    lab,
    place,
    podMade: async () => {
      while (podName() === undefined) await clock.sleep(20);
    },
    open() {
      gate.isShut = false;
      lab.workloads.recheck("a", podName() ?? "");
    },
    async [Symbol.asyncDispose]() {
      place[Symbol.dispose]();
      await lab[Symbol.asyncDispose]();
    },
  };
}

test("a session that is still starting is alive for others", async () => {
  await using slow = await slowLab();
  await using daemon = slow.place.daemon();
  const started = daemon.expose();
  await slow.podMade();
  const { restored, alive } = await slow.place.restore();
  slow.open();
  await started;
  await daemon.stop();
  assert.deepEqual([restored, alive.length], [0, 1]);
});

test("a start whose Lease is taken over fails, says so, and takes away what is its own", async () => {
  await using slow = await slowLab();
  await using daemon = slow.place.daemon();
  const started = daemon.expose();
  started.catch(() => {});
  await slow.podMade();
  const objects = new Objects(slow.lab.sandbox.client());
  const other = "bob@desk/bbbbbbbb-0000-4000-8000-000000000002";
  await objects.patch(leaseRef(slow.place.key), { spec: { holderIdentity: other } });
  await assert.rejects(started, (error) => {
    assert.equal(codeOf(error), "conflict");
    assert.match(String(error), /Cannot expose "a\/cart": The exposure was taken over by bob@desk/);
    return true;
  });
  assert.deepEqual(slow.place.leftovers(), ["leases.coordination.k8s.io localizer-cart"]);
});

test("a session that is being stopped, and waits for the workload, is alive for others", async () => {
  await using lab = await openFaultLab({ readyMs: 2_500 });
  using place = await lab.namespace("a");
  await using daemon = place.daemon({ settings: { readyMs: 20_000 } });
  await daemon.expose();
  const stopped = daemon.stop();
  await clock.sleep(300);
  const { restored, alive } = await place.restore();
  const isThere = place.leftovers().some((name) => name.startsWith("pods"));
  await stopped;
  assert.deepEqual([restored, alive.length, isThere], [0, 1, true]);
});
