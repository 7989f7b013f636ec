/** Exposures while parts of the cluster are away: what is begun ends well, and what stands stays. Nothing else may use the cluster meanwhile. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { at } from "../../src/kube/json.ts";
import { connectDaemon } from "../../src/rpc/client.ts";
import type { ExposeLine } from "../../src/rpc/exposing.ts";
import type { ComponentName } from "../cluster/components.ts";
import { testApp } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";
import type { LocalizerRun } from "../e2e/localizer-run.ts";
import { expose, exposureOf, stopExpose } from "./daemon-client.ts";
import { type ExposePlace, openExposePlace, scaledState } from "./expose-place.ts";

const ports = [{ name: "http", port: 80, targetPort: "http" }];
const apps = ["begun", "ending", "standing"] as const;
const soon = { timeoutMs: 60_000 };

describe("exposures, with parts of the cluster away", () => {
  const stack = new AsyncDisposableStack();
  let place: ExposePlace;
  let daemon: LocalizerRun;

  before(async () => {
    place = stack.use(
      await openExposePlace({
        objects: (namespace) => apps.flatMap((name) => testApp({ name, namespace, replicas: 2, ports })),
      }),
    );
    const { cluster, namespace } = place;
    for (const name of apps) await cluster.waitForReadyPods(namespace, `app=${name}`, 2);
    daemon = await place.daemon();
  });

  after(() => stack.disposeAsync());

  const stateOf = async (name: string) => scaledState(await place.get("deployment", name));
  const ended = async (service: string) => {
    const left = async () => (await place.leftovers()).filter((name) => name.includes(`/localizer-${service}`));
    await waitFor("what was made to go", async () => (await left()).length === 0, soon);
  };
  const answers = async (service: string, name: string) => {
    const pattern = new RegExp(`hello from ${name}`);
    await waitFor(`an answer of ${name}`, async () => pattern.test(await place.call(service, 80)), soon);
  };

  test("the API server is killed in the middle of a start and of a stop: both end as if nothing had been", async () => {
    const { namespace, cluster } = place;
    const [begun, ending] = [await stateOf("begun"), await stateOf("ending")];
    await using local = await place.process("laptop");
    const portMaps = [`${local.port}:http`];
    await expose(daemon, { namespace, service: "ending", portMaps });
    await using client = connectDaemon({ socketPath: daemon.place.socket });
    const starting = behind("pod", client.expose({ namespace, service: "begun", portMaps }));
    await starting.reached;
    const stopping = behind("scale-back", client.stopExpose({ namespace, service: "ending" }));
    await stopping.reached;
    cluster.processes.kill("kube-apiserver", "SIGKILL");
    await cluster.processes.restart("kube-apiserver");
    const [started, stopped] = await Promise.allSettled([starting.ended, stopping.ended]);
    assert.equal(stopped.status, "fulfilled", stopped.status === "rejected" ? String(stopped.reason) : "");
    assert.equal(started.status, "fulfilled", started.status === "rejected" ? String(started.reason) : "");
    await ended("ending");
    assert.deepEqual(await stateOf("ending"), ending);
    await answers("begun", "laptop");
    await stopExpose(daemon, { namespace, service: "begun" });
    await ended("begun");
    assert.deepEqual(await stateOf("begun"), begun);
  });

  for (const [name, what, awaySeconds] of [
    ["kube-apiserver", "the API server", 20],
    // Past the time after which the cluster holds the node for lost.
    ["kubelet", "the node's kubelet", 60],
  ] as const) {
    test(`${what} stands still for ${awaySeconds} s: the same pod leads to the local process again`, async (t) => {
      const { namespace } = place;
      const before = await stateOf("standing");
      await using local = await place.process("laptop");
      await expose(daemon, { namespace, service: "standing", portMaps: [`${local.port}:http`] });
      const first = await exposureOf(daemon, "standing");
      const pod = first?.pod ?? "";
      const uid = async () => at(await place.get("pod", pod), "metadata", "uid");
      const uidBefore = await uid();
      const states = new Set<string>();
      {
        using _still = standStill(place, name);
        const untilMs = performance.now() + awaySeconds * 1_000;
        while (performance.now() < untilMs) {
          states.add((await exposureOf(daemon, "standing"))?.state ?? "none");
          await sleep(500);
        }
      }
      t.diagnostic(`meanwhile it was ${[...states].join(", ")}`);
      await answers("standing", "laptop");
      const now = await waitFor(
        "the exposure",
        async () => {
          const exposure = await exposureOf(daemon, "standing");
          return exposure?.state === "exposed" && exposure;
        },
        soon,
      );
      assert.deepEqual([now.session, now.pod, await uid()], [first?.session, pod, uidBefore]);
      assert.equal(at(await place.get("deployment", "standing"), "spec", "replicas"), 0);
      await stopExpose(daemon, { namespace, service: "standing" });
      await ended("standing");
      assert.deepEqual(await stateOf("standing"), before);
    });
  }
});

/** Reads lines to their end, and tells when the step has come. */
function behind(
  step: string,
  lines: AsyncIterable<ExposeLine>,
): { readonly reached: Promise<void>; readonly ended: Promise<void> } {
  const reached = Promise.withResolvers<void>();
  const ended = (async () => {
    for await (const line of lines) if (line.step === step) reached.resolve();
  })();
  ended.catch((error: unknown) => reached.reject(error));
  return { reached: reached.promise, ended };
}

function standStill({ cluster }: ExposePlace, name: ComponentName): Disposable {
  cluster.processes.kill(name, "SIGSTOP");
  return { [Symbol.dispose]: () => cluster.processes.kill(name, "SIGCONT") };
}
