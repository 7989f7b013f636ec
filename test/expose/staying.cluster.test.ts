/** What an exposure does about what happens while it lives: pods that go, people who scale, Services and workloads that change, connections that fall silent. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { at } from "../../src/kube/json.ts";
import { testApp } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";
import type { LocalizerRun } from "../e2e/localizer-run.ts";
import { expose, exposureOf, stopExpose } from "./daemon-client.ts";
import { type ExposePlace, openExposePlace, scaledState } from "./expose-place.ts";

const ports = [{ name: "http", port: 80, targetPort: "http" }];
const apps = ["cart", "risen", "anew", "moved", "ported", "scaled"] as const;
/** A pod needs so long to come, a connection to be missed. */
const soon = { timeoutMs: 60_000 };

// Most of the time goes by with waiting, and one daemon has many exposures.
describe("an exposure that lives", { concurrency: 3 }, () => {
  const stack = new AsyncDisposableStack();
  let place: ExposePlace;
  let daemon: LocalizerRun;

  before(async () => {
    place = stack.use(
      await openExposePlace({
        objects: (namespace) => [
          ...apps.flatMap((name) => testApp({ name, namespace, replicas: 2, ports })),
          autoscaler(namespace, "scaled"),
        ],
      }),
    );
    const { cluster, namespace } = place;
    for (const name of apps) await cluster.waitForReadyPods(namespace, `app=${name}`, 2);
    daemon = await place.daemon();
  });

  after(() => stack.disposeAsync());

  const replicasOf = async (name: string) => at(await place.get("deployment", name), "spec", "replicas");
  const stateOf = async (name: string) => scaledState(await place.get("deployment", name));
  /** Resolves when the exposure looks like that. */
  const seen = async (service: string, state: string, reason = /(?:)/, run = daemon) => {
    let last: unknown;
    return await waitFor(
      `"${service}" to be ${state}`,
      async () => {
        const exposure = await exposureOf(run, service);
        last = exposure;
        return exposure?.state === state && reason.test(exposure.reason) && exposure;
      },
      soon,
    ).catch((error: unknown) => {
      throw new Error(`It is ${JSON.stringify(last)}`, { cause: error });
    });
  };
  const answers = async (service: string, name: string, port = 80) => {
    const pattern = new RegExp(`hello from ${name}`);
    await waitFor(`an answer of ${name}`, async () => pattern.test(await place.call(service, port)), soon);
  };
  const ended = async (service: string) => {
    const left = async () => (await place.leftovers()).filter((name) => name.includes(`/localizer-${service}`));
    await waitFor("what was made to go", async () => (await left()).length === 0, soon);
  };

  test("its pod is deleted: another one takes its place, with the record as it was", async () => {
    const { namespace } = place;
    const before = await stateOf("cart");
    await using local = await place.process("laptop");
    await expose(daemon, { namespace, service: "cart", portMaps: [`${local.port}:http`] });
    const first = await seen("cart", "exposed");
    const exposedState = await stateOf("cart");
    await place.kubectl("delete", "pod", first.pod, "--wait=false");
    const second = await waitFor(
      "another pod",
      async () => {
        const exposure = await exposureOf(daemon, "cart");
        return exposure?.state === "exposed" && exposure.pod !== first.pod && exposure;
      },
      soon,
    );
    assert.equal(second.session, first.session);
    assert.deepEqual(second.owners, first.owners);
    assert.deepEqual(await stateOf("cart"), exposedState);
    await answers("cart", "laptop");
    await stopExpose(daemon, { namespace, service: "cart" });
    assert.deepEqual(await stateOf("cart"), before);
    await ended("cart");
  });

  test("somebody scales up: set to 0 again three times, then it is contended and says who; on stop his number stays", async () => {
    const { namespace } = place;
    await using local = await place.process("laptop");
    await expose(daemon, { namespace, service: "risen", portMaps: [`${local.port}:http`] });
    const scale = () => place.kubectl("scale", "deployment", "risen", "--replicas=3");
    const zero = async () => (await replicasOf("risen")) === 0;
    for (let time = 0; time < 3; time++) {
      await scale();
      await waitFor(`0 again, after ${time + 1}`, zero, soon);
    }
    await scale();
    const { reason } = await seen("risen", "contended");
    assert.match(reason, /Deployment "\S+\/risen" was set to 3 by "kubectl"; set to 0 again 3 times/);
    assert.equal(await replicasOf("risen"), 3);
    const lines = await stopExpose(daemon, { namespace, service: "risen" });
    assert.ok(
      lines.some(({ message }) => message.includes("stays at 3, which somebody has set it to meanwhile")),
      JSON.stringify(lines),
    );
    assert.equal(await replicasOf("risen"), 3);
    const { annotations } = Object(await stateOf("risen"));
    assert.deepEqual(
      Object.keys(annotations).filter((name) => name.startsWith("localizer.dev/")),
      [],
    );
    await ended("risen");
  });

  test("the Deployment is deleted and made again: the new one is scaled down, and set back in the end", async () => {
    const { namespace, cluster } = place;
    await using local = await place.process("laptop");
    await expose(daemon, { namespace, service: "anew", portMaps: [`${local.port}:http`] });
    await place.kubectl("delete", "deployment", "anew");
    const [deployment] = testApp({ name: "anew", namespace, replicas: 1, ports });
    await cluster.apply([Object(deployment)]);
    await waitFor("the new one at 0", async () => (await replicasOf("anew")) === 0, soon);
    await seen("anew", "exposed");
    assert.deepEqual((await exposureOf(daemon, "anew"))?.owners, [{ kind: "Deployment", name: "anew", replicas: 1 }]);
    await waitFor(
      "the new pods to go",
      async () => !(await place.kubectl("get", "pod", "-l", "app=anew", "-o", "name")).includes("pod/anew-"),
      soon,
    );
    await answers("anew", "laptop");
    await stopExpose(daemon, { namespace, service: "anew" });
    assert.equal(await replicasOf("anew"), 1);
    await ended("anew");
  });

  test("the Service selects by other labels: the pod follows", async () => {
    const { namespace } = place;
    await using local = await place.process("laptop");
    await expose(daemon, { namespace, service: "moved", portMaps: [`${local.port}:http`] });
    const { pod } = await seen("moved", "exposed");
    const selector = (value: object) =>
      place.kubectl("patch", "service", "moved", "--type=merge", "-p", JSON.stringify({ spec: { selector: value } }));
    await selector({ app: null, release: "blue" });
    await waitFor(
      "the pod's new label",
      async () => {
        const labels: unknown = at(await place.get("pod", pod), "metadata", "labels");
        return at(labels, "release") === "blue" && at(labels, "app") === undefined;
      },
      soon,
    );
    await answers("moved", "laptop");
    await selector({ app: "moved", release: null });
    await answers("moved", "laptop");
    await stopExpose(daemon, { namespace, service: "moved" });
    assert.equal(await replicasOf("moved"), 2);
    await answers("moved", "moved");
    await ended("moved");
  });

  test("the Service has another port: the reason names it, and goes when the port does", async () => {
    const { namespace } = place;
    await using local = await place.process("laptop");
    await expose(daemon, { namespace, service: "ported", portMaps: [`${local.port}:http`] });
    const patch = (value: readonly object[]) =>
      place.kubectl("patch", "service", "ported", "--type=merge", "-p", JSON.stringify({ spec: { ports: value } }));
    await patch([...ports, { name: "echo", port: 7000 }]);
    await seen("ported", "exposed", /other ports now \(7000\); stop and expose it again/);
    assert.match(await place.call("ported", 80), /hello from laptop/);
    await patch(ports);
    await seen("ported", "exposed", /^$/);
    await stopExpose(daemon, { namespace, service: "ported", noWait: true });
    await ended("ported");
  });

  test("a HorizontalPodAutoscaler: it is told of beforehand, leaves the workload at 0, and finds it as it was", async () => {
    const { namespace } = place;
    const before = await stateOf("scaled");
    await using local = await place.process("laptop");
    const lines = await expose(daemon, { namespace, service: "scaled", portMaps: [`${local.port}:http`] });
    assert.ok(
      lines.some(({ level, message }) => level === "warn" && message.includes("HorizontalPodAutoscaler")),
      JSON.stringify(lines),
    );
    // It looks every 15 s.
    const disabled = async () =>
      (await place.kubectl("get", "hpa", "scaled", "-o", "yaml")).includes("ScalingDisabled");
    await waitFor("the autoscaler to see it", disabled, soon);
    assert.equal(await replicasOf("scaled"), 0);
    assert.equal((await exposureOf(daemon, "scaled"))?.state, "exposed");
    await stopExpose(daemon, { namespace, service: "scaled" });
    assert.deepEqual(await stateOf("scaled"), before);
    await ended("scaled");
  });
});

function autoscaler(namespace: string, name: string): object {
  const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name };
  const metrics = [
    { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } } },
  ];
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name, namespace },
    spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 4, metrics },
  };
}
