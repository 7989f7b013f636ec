/** What an exposure does about what takes minutes: a workload that is slow to come back, a network that is gone for a while. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { at } from "../../src/kube/json.ts";
import { testApp } from "../cluster/test-app.ts";
import { type WaitOptions, waitFor } from "../cluster/wait.ts";
import { failuresOf, startSteadyClient } from "../e2e/steady-client.ts";
import { silenceableRoute } from "../support/silenceable-route.ts";
import { expose, exposureOf, stopExpose } from "./daemon-client.ts";
import { type ExposePlace, openExposePlace } from "./expose-place.ts";

const ports = [{ name: "http", port: 80, targetPort: "http" }];
const apps = ["slow", "silent"] as const;
const readyMs = 90_000;
const silentMs = 120_000;
const soon = { timeoutMs: 60_000 };

// It is all waiting.
describe("an exposure that waits", { concurrency: 2 }, () => {
  const stack = new AsyncDisposableStack();
  let place: ExposePlace;

  before(async () => {
    place = stack.use(
      await openExposePlace({
        objects: (namespace) => apps.flatMap((name) => testApp({ name, namespace, replicas: 2, ports })),
      }),
    );
    for (const name of apps) await place.cluster.waitForReadyPods(place.namespace, `app=${name}`, 2);
  });

  after(() => stack.disposeAsync());

  const ended = async (service: string) => {
    const left = async () => (await place.leftovers()).filter((name) => name.includes(`/localizer-${service}`));
    await waitFor("what was made to go", async () => (await left()).length === 0, soon);
  };

  test("a workload that takes 90 s to be ready: no request fails on stop", async (t) => {
    const { namespace } = place;
    await using local = await place.process("laptop");
    await using daemon = await place.daemon();
    await using other = await place.daemon();
    await expose(daemon, { namespace, service: "slow", portMaps: [`${local.port}:http`] });
    // While it is at 0 nothing comes of that.
    await place.kubectl("patch", "deployment", "slow", "-p", JSON.stringify(slowly("app")));
    const address = { address: other.addressOf(`slow.${namespace}.svc`), port: 80 };
    await using steady = startSteadyClient(address, { everyMs: 50, atMost: 20, timeoutMs: 30_000 });
    const beganMs = performance.now();
    await stopExpose(daemon, { namespace, service: "slow" });
    assert.ok(performance.now() - beganMs > readyMs - 5_000, "it waits for the workload");
    const last = steady.exchanges.length;
    await waitFor("answers of the workload", () => steady.exchanges.length > last + 20, soon);
    const exchanges = await steady.stop();
    const answered = exchanges.flatMap((one) => (one.kind === "answered" ? [one.pod] : []));
    t.diagnostic(`${exchanges.length} requests`);
    assert.deepEqual(failuresOf(exchanges), []);
    assert.equal(answered[0], "laptop");
    assert.match(answered.at(-1) ?? "", /^slow-/);
    await ended("slow");
  });

  test("no packet comes through for two minutes: it connects again, and keeps its pod", async () => {
    const { namespace, cluster } = place;
    await using route = await silenceableRoute(cluster);
    await using far = await place.daemon({ kubeconfig: route.kubeconfig });
    await using local = await place.process("laptop");
    const seen = (state: string, within: WaitOptions = soon) =>
      waitFor(
        `it to be ${state}`,
        async () => {
          const exposure = await exposureOf(far, "silent");
          return exposure?.state === state && exposure;
        },
        within,
      );
    // Its Lease of 5 s runs out meanwhile: others may take it over, and nobody does.
    await expose(far, { namespace, service: "silent", portMaps: [`${local.port}:http`] });
    const { pod } = await seen("exposed");
    const uid = async () => at(await place.get("pod", pod), "metadata", "uid");
    const uidBefore = await uid();
    {
      await using _silence = await route.silence();
      await Promise.all([sleep(silentMs), seen("reconnecting", { timeoutMs: silentMs, isExact: true })]);
    }
    const back = await seen("exposed");
    assert.equal(back.pod, pod);
    assert.equal(await uid(), uidBefore);
    await waitFor("an answer", async () => /hello from laptop/.test(await place.call("silent", 80)), soon);
    await stopExpose(far, { namespace, service: "silent" });
    assert.equal(at(await place.get("deployment", "silent"), "spec", "replicas"), 2);
    await ended("silent");
  });
});

/** A patch of a Deployment: its new pods count as ready after so long. */
function slowly(container: string): object {
  const readinessProbe = { httpGet: { port: "http" }, periodSeconds: 1, initialDelaySeconds: readyMs / 1_000 };
  return { spec: { template: { spec: { containers: [{ name: container, readinessProbe }] } } } };
}
