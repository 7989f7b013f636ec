/** Several daemons and one Service, as several people on one cluster: nobody's living session is touched, and a dead one is not in the way for long. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { textAt } from "../../src/kube/json.ts";
import { testApp } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";
import { type LocalizerPlace, type LocalizerRun, localizerPlace } from "../e2e/localizer-run.ts";
import { freezeWhole, killWhole } from "../e2e/whole-run.ts";
import { expose, exposureOf, stopExpose } from "./daemon-client.ts";
import { type ExposePlace, openExposePlace, scaledState } from "./expose-place.ts";
import { restoreFromElsewhere } from "./restore-elsewhere.ts";

const ports = [{ name: "http", port: 80, targetPort: "http" }];
const apps = ["cart", "till", "desk", "shelf"] as const;

describe("expose, by several daemons", () => {
  const stack = new AsyncDisposableStack();
  let place: ExposePlace;
  let alice: LocalizerRun;

  before(async () => {
    place = stack.use(
      await openExposePlace({
        objects: (namespace) => [
          ...apps.flatMap((name) => testApp({ name, namespace, replicas: 2, ports })),
          ...doubleObjects(namespace),
        ],
      }),
    );
    const { cluster, namespace } = place;
    for (const name of [...apps, "double"]) await cluster.waitForReadyPods(namespace, `app=${name}`, 2);
    alice = await place.daemon();
  });

  after(() => stack.disposeAsync());

  const stateOf = async (name: string) => scaledState(await place.get("deployment", name));
  const replicasOf = async (name: string) => Reflect.get(Object(await stateOf(name)), "replicas");
  const asBefore = async (name: string, state: unknown) => {
    const isBack = async () => JSON.stringify(await stateOf(name)) === JSON.stringify(state);
    await waitFor(`"${name}" to be as before`, isBack, { timeoutMs: 20_000 }).catch(() => {});
    assert.deepEqual(await stateOf(name), state);
  };
  const nothingLeft = async (service: string) => {
    const left = async () => (await place.leftovers()).filter((name) => name.includes(`/localizer-${service}`));
    await waitFor(`what "${service}" left to go`, async () => (await left()).length === 0, { timeoutMs: 20_000 });
  };
  const refused = async (exposing: Promise<unknown>, pattern: RegExp) => {
    await assert.rejects(exposing, (error: Error) => {
      assert.match(error.message, pattern);
      assert.equal(Reflect.get(error, "code"), "conflict");
      return true;
    });
  };

  test("the second is told who has it, since when, and the last sign of life; neither it nor its death touches the first", async () => {
    const { namespace } = place;
    await using local = await place.process("alice");
    await expose(alice, { namespace, service: "cart", portMaps: [`${local.port}:http`] });
    const exposure = await exposureOf(alice, "cart");
    const pods = () => place.kubectl("get", "pod", "-l", `localizer.dev/session=${exposure?.session}`, "-o", "name");
    const podBefore = await pods();
    const stateBefore = await stateOf("cart");
    using files: LocalizerPlace = localizerPlace("127.0.0.1 localhost\n");
    await using bob = await place.daemon({ place: files });
    const held = /exposed by \S+@\S+ since \d{4}-\d\d-\d\dT[\d:]+Z \(last sign of life \d+ s ago\)/;
    await refused(expose(bob, { namespace, service: "cart" }), held);
    await refused(expose(bob, { namespace, service: "cart", takeOver: true }), held);
    await assert.rejects(stopExpose(bob, { namespace, service: "cart" }), /this daemon does not expose it/);
    const deskBefore = await stateOf("desk");
    await expose(bob, { namespace, service: "desk" });
    await killWhole(bob);
    await using again = await place.daemon({ place: files });
    await asBefore("desk", deskBefore);
    await expose(again, { namespace, service: "desk" });
    await stopExpose(again, { namespace, service: "desk", noWait: true });
    const { code, stdout, stderr } = await restoreFromElsewhere(place);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Left alone: "\S+\/localizer-cart" of \S+@\S+, who gives signs of life/);
    assert.match(stdout, /Nothing to restore/);

    assert.deepEqual(await stateOf("cart"), stateBefore);
    assert.equal(await pods(), podBefore);
    assert.equal((await exposureOf(alice, "cart"))?.state, "exposed");
    assert.match(await place.call("cart", 80), /hello from alice/);
    await stopExpose(alice, { namespace, service: "cart" });
    await nothingLeft("cart");
  });

  test("one that was killed on another machine is taken over once its time is up, with the number that it had found", async () => {
    const { namespace } = place;
    const before = await stateOf("till");
    await using dead = await place.daemon();
    await expose(dead, { namespace, service: "till" });
    await killWhole(dead);
    await refused(expose(alice, { namespace, service: "till" }), /--take-over ends it/);
    await using local = await place.process("heir");
    const lines = await expose(alice, {
      namespace,
      service: "till",
      portMaps: [`${local.port}:http`],
      takeOver: true,
    });
    assert.ok(
      lines.some(({ message }) => /^Taking over from \S+@\S+/.test(message)),
      JSON.stringify(lines),
    );
    assert.ok(lines.some(({ step, message }) => step === "scale-down" && message.includes("from 2 to 0")));
    assert.match(await place.call("till", 80), /hello from heir/);
    await stopExpose(alice, { namespace, service: "till" });
    await asBefore("till", before);
    await nothingLeft("till");
  });

  test("one that was only frozen learns that its session is lost, and leaves everything to the other", async () => {
    const { namespace } = place;
    const before = await stateOf("shelf");
    await using sleeper = await place.daemon();
    await expose(sleeper, { namespace, service: "shelf" });
    await using local = await place.process("heir");
    let pod = "";
    {
      using _frozen = freezeWhole(sleeper);
      await expose(alice, { namespace, service: "shelf", portMaps: [`${local.port}:http`], takeOver: true });
      pod = (await exposureOf(alice, "shelf"))?.pod ?? "";
    }
    const lost = await waitFor(
      "the first to learn it",
      async () => {
        const exposure = await exposureOf(sleeper, "shelf");
        return exposure?.state === "lost" && exposure;
      },
      { timeoutMs: 20_000 },
    );
    assert.match(lost.reason, /taken over/);
    const session = (await exposureOf(alice, "shelf"))?.session ?? "";
    const marked = async () =>
      textAt(await place.get("deployment", "shelf"), "metadata", "annotations", "localizer.dev/session");
    assert.equal(await marked(), session);
    await stopExpose(sleeper, { namespace, service: "shelf" });
    assert.equal(await exposureOf(sleeper, "shelf"), undefined);
    const now = await exposureOf(alice, "shelf");
    assert.deepEqual([now?.state, now?.pod, await marked()], ["exposed", pod, session]);
    assert.equal(await replicasOf("shelf"), 0);
    assert.match(await place.call("shelf", 80), /hello from heir/);
    await stopExpose(alice, { namespace, service: "shelf" });
    await asBefore("shelf", before);
    await nothingLeft("shelf");
  });

  test("two services of one owner: one daemon has both, and the last to end sets it back; another daemon is refused", async () => {
    const { namespace } = place;
    const before = await stateOf("double");
    await using local = await place.process("laptop");
    const portMaps = [`${local.port}:http`];
    await expose(alice, { namespace, service: "left", portMaps });
    await using bob = await place.daemon();
    await refused(
      expose(bob, { namespace, service: "right" }),
      /Deployment "\S+\/double" to 0: it is held by a session of \S+@\S+/,
    );
    await nothingLeft("right");
    await expose(alice, { namespace, service: "right", portMaps });
    for (const service of ["left", "right"]) assert.match(await place.call(service, 80), /hello from laptop/);
    const lines = await stopExpose(alice, { namespace, service: "left" });
    assert.ok(lines.some(({ message }) => message.includes("stays at 0 for another exposure")));
    assert.equal(await replicasOf("double"), 0);
    assert.match(await place.call("right", 80), /hello from laptop/);
    await stopExpose(alice, { namespace, service: "right" });
    await asBefore("double", before);
    for (const service of ["left", "right"]) await nothingLeft(service);
  });

  for (const [what, services, workload, pattern] of [
    ["one service", ["desk", "desk"], "desk", /exposed by \S+@\S+/],
    ["two services of one owner", ["left", "right"], "double", /"\S+\/double".* held by a session of \S+@\S+/],
  ] as const) {
    test(`two who expose ${what} in the same instant: one has it, the other is told who, and all goes back`, async () => {
      const { namespace } = place;
      const before = await stateOf(workload);
      await using bob = await place.daemon();
      await using local = await place.process("winner");
      const portMaps = [`${local.port}:http`];
      const wishes = [alice, bob].map((run, index) => ({ run, service: services[index] ?? "" }));
      const outcomes = await Promise.allSettled(
        wishes.map(({ run, service }) => expose(run, { namespace, service, portMaps })),
      );
      const [winner, ...others] = wishes.filter((_, index) => outcomes[index]?.status === "fulfilled");
      assert.ok(winner !== undefined && others.length === 0, JSON.stringify(outcomes.map(({ status }) => status)));
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") await refused(Promise.reject(outcome.reason), pattern);
      }
      assert.match(await place.call(winner.service, 80), /hello from winner/);
      assert.equal(await replicasOf(workload), 0);
      await stopExpose(winner.run, { namespace, service: winner.service });
      await asBefore(workload, before);
      for (const service of services) await nothingLeft(service);
    });
  }

  test("a dead session of another service of the same owner is taken over, too", async () => {
    const { namespace } = place;
    const before = await stateOf("double");
    await using dead = await place.daemon();
    await expose(dead, { namespace, service: "left" });
    await killWhole(dead);
    await refused(expose(alice, { namespace, service: "right" }), /Deployment "\S+\/double" to 0: it is held by/);
    await using local = await place.process("heir");
    const portMaps = [`${local.port}:http`];
    const lines = await expose(alice, { namespace, service: "right", portMaps, takeOver: true });
    assert.ok(
      lines.some(({ step, message }) => step === "scale-down" && message.includes("from 2 to 0")),
      JSON.stringify(lines),
    );
    await nothingLeft("left");
    assert.match(await place.call("right", 80), /hello from heir/);
    await stopExpose(alice, { namespace, service: "right" });
    await asBefore("double", before);
    await nothingLeft("right");
  });

  test("a Lease that somebody deletes ends the exposure: everything is put back at once, and it says so", async () => {
    const { namespace } = place;
    const before = await stateOf("cart");
    await expose(alice, { namespace, service: "cart" });
    await place.kubectl("delete", "lease", "localizer-cart");
    await waitFor("the workload's number", async () => (await replicasOf("cart")) === 2, {
      timeoutMs: 10_000,
      isExact: true,
    });
    const lost = await waitFor(
      "the session to be over",
      async () => {
        const exposure = await exposureOf(alice, "cart");
        return exposure?.state === "lost" && exposure;
      },
      { timeoutMs: 20_000 },
    );
    assert.match(lost.reason, /Lease was deleted by somebody/);
    await asBefore("cart", before);
    await nothingLeft("cart");
    await stopExpose(alice, { namespace, service: "cart" });
    await expose(alice, { namespace, service: "cart" });
    await stopExpose(alice, { namespace, service: "cart", noWait: true });
  });
});

/** One Deployment that two Services lead to, each by a label that the other's does not know. */
function doubleObjects(namespace: string): readonly object[] {
  const [deployment] = testApp({ name: "double", namespace, replicas: 2, ports });
  const copy = structuredClone(deployment);
  const labels = { app: "double", left: "yes", right: "yes" };
  Reflect.set(Object(Reflect.get(Object(Reflect.get(Object(copy), "spec")), "template")), "metadata", { labels });
  const service = (name: string) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { selector: { [name]: "yes" }, ports },
  });
  return [Object(copy), service("left"), service("right")];
}
