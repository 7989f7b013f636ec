/** What a cluster has to say about an exposure, on the real one: refused before anything exists, noticed, or told while it waits. */
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { codeOf } from "../../src/errors.ts";
import { listAt, textAt } from "../../src/kube/json.ts";
import { headOf } from "../../src/kube/objects.ts";
import type { ExposeLine } from "../../src/rpc/exposing.ts";
import { testAppImage } from "../cluster/test-images.ts";
import { waitFor } from "../cluster/wait.ts";
import type { LocalizerRun } from "../e2e/localizer-run.ts";
import { deploymentChange, exhaustPodQuota, openPolicy, podCreation } from "./admission-lab.ts";
import { expose, exposureOf, stopExpose } from "./daemon-client.ts";
import { type ExposePlace, openExposePlace, restrictedApp, scaledState } from "./expose-place.ts";
import { openWebhook } from "./webhook.ts";

const managed = { "app.kubernetes.io/managed-by": "localizer" };
const clean = { timeoutMs: 20_000 };

describe("expose, in a namespace with rules of its own", () => {
  const stack = new AsyncDisposableStack();
  let place: ExposePlace;
  let daemon: LocalizerRun;

  before(async () => {
    const objects = (namespace: string) => [...restrictedApp(namespace, "cart", 1), ...farObjects(namespace)];
    place = stack.use(await openExposePlace({ objects }));
    await place.cluster.waitForReadyPods(place.namespace, "app=cart", 1);
    daemon = await place.daemon({ flags: ["--expose-timeout=8s"] });
  });

  afterEach(async () => {
    const { namespace } = place;
    if ((await exposureOf(daemon, "cart")) !== undefined) await stopExpose(daemon, { namespace, service: "cart" });
  });

  after(() => stack.disposeAsync());

  /** A pod as an exposure would make it, as far as rules look at it; tried and not made. */
  function tryPod(): Promise<string> {
    const metadata = { name: "probe", namespace: place.namespace, labels: { ...managed, app: "cart" } };
    const spec = { containers: [{ name: "app", image: testAppImage }] };
    const pod = JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata, spec });
    return place.cluster.kubectl(["create", "--dry-run=server", "-f", "-"], { input: pod });
  }

  function tryScale(): Promise<string> {
    const patch = JSON.stringify({ spec: { replicas: 0 } });
    return place.kubectl("patch", "deployment", "cart", "--dry-run=server", "-p", patch);
  }

  /** That it is refused in these words, and that nothing was made or changed for as long as a blink. */
  async function refusedBeforehand(pattern: RegExp): Promise<void> {
    const { namespace, cluster } = place;
    await settled();
    const owner = await place.get("deployment", "cart");
    const since = headOf(owner).resourceVersion;
    for (const dryRun of [true, false]) {
      await assert.rejects(expose(daemon, { namespace, service: "cart", dryRun }), (error: Error) => {
        assert.match(error.message, pattern);
        assert.equal(codeOf(error), Reflect.get(error, "code"));
        return true;
      });
    }
    assert.deepEqual(await place.get("deployment", "cart"), owner);
    assert.deepEqual(await place.leftovers(), []);
    assert.equal(await exposureOf(daemon, "cart"), undefined);
    // Everything that ever existed since then, also what is gone again.
    for (const path of ["api/v1", "apis/coordination.k8s.io/v1"]) {
      for (const plural of path === "api/v1" ? ["pods", "secrets"] : ["leases"]) {
        const query = `watch=1&timeoutSeconds=1&resourceVersion=${since}`;
        const url = `/${path}/namespaces/${namespace}/${plural}?${query}`;
        const events = (await cluster.kubectl(["get", "--raw", url])).split("\n").filter((line) => line !== "");
        const names = events.map((line) => textAt(JSON.parse(line), "object", "metadata", "name") ?? "");
        assert.ok(!names.some((name) => name.startsWith("localizer-")), names.join());
      }
    }
  }

  /** Status updates of the owner are over. */
  async function settled(): Promise<void> {
    const { cluster, namespace } = place;
    await cluster.waitForReadyPods(namespace, "app=cart", 1);
    let last = "";
    await waitFor(
      "the Deployment to rest",
      async () => {
        const version = headOf(await place.get("deployment", "cart")).resourceVersion;
        const rests = version === last;
        last = version;
        return rests;
      },
      { timeoutMs: 20_000, intervalMs: 1_000 },
    );
  }

  async function givenBack(before: unknown): Promise<void> {
    await waitFor("what was made to go", async () => (await place.leftovers()).length === 0, clean);
    assert.deepEqual(scaledState(await place.get("deployment", "cart")), before);
  }

  test("a policy refuses the pod, which has the Service's labels: nothing is made", async () => {
    const labels = "object.metadata.?labels";
    const isOurs = `${labels}['app.kubernetes.io/managed-by'].orValue('') == 'localizer'`;
    const message = "no stand-ins for the cart, please";
    const expression = `!(${isOurs} && ${labels}['app'].orValue('') == 'cart')`;
    await using _policy = await openPolicy(place, { rule: podCreation, expression, message, probe: tryPod });
    await refusedBeforehand(
      /^The cluster refuses the pod that would take the place of "\S+\/cart": .*denied request: no stand-ins for the cart, please$/,
    );
  });

  test("a policy refuses 0 replicas: nothing is made", async () => {
    const message = "the cart never sleeps";
    const expression = "object.spec.replicas > 0";
    await using _policy = await openPolicy(place, { rule: deploymentChange, expression, message, probe: tryScale });
    await refusedBeforehand(/^The cluster refuses the change: .*denied request: the cart never sleeps$/);
  });

  test("the quota of pods is exhausted: nothing is made", async () => {
    await using _quota = await exhaustPodQuota(place);
    await refusedBeforehand(/exceeded quota: full, requested: pods=1, used: pods=(\d+), limited: pods=\1$/);
  });

  test("a webhook adds a sidecar: it is said, and the local process answers all the same", async () => {
    const { namespace } = place;
    await settled();
    const before = scaledState(await place.get("deployment", "cart"));
    const sidecar = { name: "mesh-proxy", image: testAppImage, imagePullPolicy: "Never", args: ["pause"] };
    const patch = [{ op: "add", path: "/spec/containers/-", value: sidecar }];
    const wish = { rules: [podCreation], labels: managed, sideEffects: "None", patch, probe: tryPod } as const;
    await using webhook = await openWebhook(place, wish);
    await using local = await place.process("laptop");
    const lines = await expose(daemon, { namespace, service: "cart", portMaps: [`${local.port}:http`] });
    assert.deepEqual(warnings(lines), [
      "The cluster has added to the pod: mesh-proxy; should the exposure not come up, that may be why",
    ]);
    assert.match(await place.call("cart", 80), /hello from laptop/);
    assert.deepEqual(webhook.asked, ["CREATE pods?", "CREATE pods"]);
    const pod = (await exposureOf(daemon, "cart"))?.pod ?? "";
    assert.equal(listAt(await place.get("pod", pod), "spec", "containers").length, 2);
    await stopExpose(daemon, { namespace, service: "cart" });
    await givenBack(before);
  });

  test("a webhook that cannot be asked beforehand refuses nothing", async () => {
    const { namespace } = place;
    await settled();
    const before = scaledState(await place.get("deployment", "cart"));
    const rules = [podCreation, deploymentChange];
    await using webhook = await openWebhook(place, { rules, sideEffects: "Some", probe: tryPod });
    for (const attempt of [tryPod, tryScale]) await assert.rejects(attempt(), /does not support dry run/);
    await using local = await place.process("laptop");
    const lines = await expose(daemon, { namespace, service: "cart", portMaps: [`${local.port}:http`] });
    assert.deepEqual(warnings(lines), []);
    assert.match(await place.call("cart", 80), /hello from laptop/);
    await stopExpose(daemon, { namespace, service: "cart" });
    assert.ok(webhook.asked.includes("UPDATE deployments"), webhook.asked.join());
    assert.ok(!webhook.asked.some((what) => what.endsWith("?")));
    await givenBack(before);
  });

  test("an image that cannot be pulled ends the start within 5 s of the kubelet's word, in that word", async () => {
    const { namespace } = place;
    await settled();
    const owner = await place.get("deployment", "cart");
    const image = "localhost/none:1";
    const starting = expose(daemon, { namespace, service: "cart", pod: { image } }).then(
      () => assert.fail("it started"),
      (error: Error) => ({ error, at: performance.now() }),
    );
    const reported = await waitFor("the kubelet's word", () => pullFailure(image), {
      timeoutMs: 60_000,
      intervalMs: 50,
    });
    const { error, at } = await starting;
    assert.match(error.message, /^Pod "localizer-cart-\w+" does not start: ErrImagePull: .*localhost\/none:1/);
    assert.ok(at - reported < 5_000, `${at - reported} ms`);
    assert.deepEqual(await place.get("deployment", "cart"), owner);
    assert.equal(await exposureOf(daemon, "cart"), undefined);
    await waitFor("what was made to go", async () => (await place.leftovers()).length === 0, clean);
  });

  /** When it was seen, by this process's clock. */
  async function pullFailure(image: string): Promise<number | undefined> {
    const fields = "involvedObject.kind=Pod,reason=Failed";
    const events = await place.kubectl("get", "events", `--field-selector=${fields}`, "-o", "json");
    const words = listAt(JSON.parse(events), "items").map((event) => textAt(event, "message") ?? "");
    return words.some((word) => word.includes(image)) ? performance.now() : undefined;
  }

  test("a pod that no node takes is told within seconds, and the start's time limit applies", async () => {
    const { namespace } = place;
    const owner = headOf(await place.get("deployment", "far")).resourceVersion;
    const begin = performance.now();
    const told: { line: ExposeLine; afterMs: number }[] = [];
    await assert.rejects(
      expose(daemon, { namespace, service: "far" }, (line) => {
        told.push({ line, afterMs: performance.now() - begin });
      }),
      (error: Error) => {
        assert.equal(Reflect.get(error, "code"), "timeout");
        const sentence =
          /^Cannot expose "\S+\/far": it did not start within 8 s; Pod "\S+" waits: Unschedulable: 0\/1 nodes/;
        assert.match(error.message, sentence);
        return true;
      },
    );
    const [first] = told.filter(({ line }) => line.level === "warn" && line.step === "pod");
    assert.match(first?.line.message ?? "", /^Pod "localizer-far-\w+" waits: Unschedulable: 0\/1 nodes are available/);
    assert.ok((first?.afterMs ?? Number.POSITIVE_INFINITY) < 5_000, `${first?.afterMs} ms`);
    assert.equal(headOf(await place.get("deployment", "far")).resourceVersion, owner);
    await waitFor("what was made to go", async () => (await place.leftovers()).length === 0, clean);
  });
});

/** Of what happened after the preflight. */
function warnings(lines: readonly ExposeLine[]): readonly string[] {
  // Those two are not the cluster's.
  const ours: readonly string[] = ["preflight", "local"];
  return lines.filter(({ level, step }) => level === "warn" && !ours.includes(step)).map(({ message }) => message);
}

/** A workload that wants a node which there is not. */
function farObjects(namespace: string): readonly object[] {
  return restrictedApp(namespace, "far", 1).map((object) => {
    const template = Reflect.get(Object(Reflect.get(object, "spec")), "template");
    if (template === undefined) return object;
    const spec = { ...template.spec, nodeSelector: { "test.localizer.dev/zone": "nowhere" } };
    return { ...object, spec: { ...Object(Reflect.get(object, "spec")), template: { ...template, spec } } };
  });
}
