/** Exposing on the real cluster: every kind of owner, in a restricted namespace, for a user with the role edit and nothing more. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { waitFor } from "../cluster/wait.ts";
import type { LocalizerRun } from "../e2e/localizer-run.ts";
import { accountObjects, accountToken, writeUserKubeconfig } from "../e2e/service-account.ts";
import { failuresOf, startSteadyClient } from "../e2e/steady-client.ts";
import { runGoClient } from "../rpc/go-client.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { expose, exposureOf, stopExpose } from "./daemon-client.ts";
import { type ExposePlace, freePort, openExposePlace, restricted, restrictedApp, scaledState } from "./expose-place.ts";
import { scalableKind, scaledObjects } from "./scaled-objects.ts";

const editor = (namespace: string) => ({ namespace, name: "editor", role: "edit" }) as const;

describe("expose, in a restricted namespace, with the role edit", () => {
  const stack = new AsyncDisposableStack();
  let place: ExposePlace;
  let daemon: LocalizerRun;

  before(async () => {
    place = stack.use(
      await openExposePlace({
        objects: (namespace) => [
          ...restrictedApp(namespace, "cart"),
          ...scaledObjects(namespace).map(restricted),
          ...accountObjects(editor(namespace)),
        ],
        labels: { "pod-security.kubernetes.io/enforce": "restricted" },
      }),
    );
    const { cluster, namespace } = place;
    for (const [app, count] of [
      ["cart", 2],
      ["ledger", 1],
      ["bare", 1],
      ["blue", 1],
      ["green", 1],
    ] as const) {
      await cluster.waitForReadyPods(namespace, `app=${app}`, count);
    }
    const folder = stack.use(temporaryFolder());
    const token = await accountToken(cluster, editor(namespace));
    const kubeconfig = writeUserKubeconfig(cluster, folder.path, { name: "editor", user: { token }, namespace });
    daemon = await place.daemon({ kubeconfig });
  });

  after(() => stack.disposeAsync());

  const back = [
    { title: "a Deployment", service: "cart", owners: ["deployment/cart"] },
    { title: "a StatefulSet", service: "ledger", owners: ["statefulset/ledger"] },
    { title: "a ReplicaSet without parent, which would adopt our pod", service: "bare", owners: ["replicaset/bare"] },
    { title: "two owners of two kinds", service: "colours", owners: ["deployment/blue", "statefulset/green"] },
  ] as const;
  for (const { title, service, owners } of back) {
    test(`${title}: a pod and another daemon's tunnel reach the local process, then all is as before`, async () => {
      const { namespace, cluster } = place;
      const refs = owners.map((owner) => owner.split("/"));
      const states = () =>
        Promise.all(refs.map(async ([kind = "", name = ""]) => scaledState(await place.get(kind, name))));
      const before = await states();
      await using local = await place.process("laptop");
      const lines = await expose(daemon, { namespace, service, portMaps: [`${local.port}:http`] });
      assert.equal(lines.at(-1)?.step, "exposed");
      for (const [kind = "", name = ""] of refs)
        assert.equal(Reflect.get(Object(scaledState(await place.get(kind, name))), "replicas"), 0);
      assert.match(await place.call(service, 80), /hello from laptop/);
      await using other = await place.daemon({ kubeconfig: cluster.kubeconfig });
      const address = other.addressOf(`${service}.${namespace}.svc`);
      assert.match(await (await fetch(`http://${address}/`)).text(), /hello from laptop/);
      const listed = await exposureOf(daemon, service);
      assert.equal(listed?.state, "exposed");
      assert.deepEqual(
        listed.owners.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`).sort(),
        [...owners].sort(),
      );
      const ended = await stopExpose(daemon, { namespace, service });
      assert.equal(ended.at(-1)?.step, "ended");
      await waitFor("what was made to go", async () => (await place.leftovers()).length === 0, { timeoutMs: 20_000 });
      assert.deepEqual(await states(), before);
      assert.match(await place.call(service, 80), /hello from (?!laptop)/);
    });
  }

  test("requests at 20 a second from start to end of an exposure: none fails", async (t) => {
    const { namespace, cluster } = place;
    await cluster.waitForReadyPods(namespace, "app=cart", 2);
    await using local = await place.process("laptop");
    await using other = await place.daemon({ kubeconfig: cluster.kubeconfig });
    const at = { address: other.addressOf(`cart.${namespace}.svc`), port: 80 };
    await using steady = startSteadyClient(at, { everyMs: 50 });
    await expose(daemon, { namespace, service: "cart", portMaps: [`${local.port}:http`] });
    await stopExpose(daemon, { namespace, service: "cart" });
    await cluster.waitForReadyPods(namespace, "app=cart", 2);
    const exchanges = await steady.stop();
    t.diagnostic(`${exchanges.length} requests`);
    assert.ok(exchanges.length > 50);
    assert.deepEqual(failuresOf(exchanges), []);
  });

  test("both ports at once, and a port on which nobody listens says so", async () => {
    const { namespace } = place;
    await using local = await place.process("laptop");
    const nobody = await freePort();
    await expose(daemon, { namespace, service: "cart", portMaps: [`${local.port}:http`, `${nobody}:7000`] });
    assert.match(await place.call("cart", 80), /hello from laptop/);
    assert.match(await place.call("cart", 7000), /EOF|reset|code 1/i);
    const ports = (await exposureOf(daemon, "cart"))?.ports ?? [];
    const echo = ports.find(({ name }) => name === "echo");
    assert.equal(echo?.lastError, `no local process on port ${nobody}`);
    assert.ok((echo?.refused ?? 0) >= 1);
    await stopExpose(daemon, { namespace, service: "cart" });
  });

  test("no ReplicaSet keeps the marks of an exposure, and one whose marks a rollout undo brings back is exposed again", async () => {
    const { namespace, kubectl, cluster } = place;
    const marks = () =>
      kubectl("get", "deployment,replicaset", "-l", "app=cart", "-o", "jsonpath={.items[*].metadata.annotations}");
    await expose(daemon, { namespace, service: "cart" });
    assert.match(await marks(), /localizer\.dev\/session/);
    await stopExpose(daemon, { namespace, service: "cart" });
    await cluster.waitForReadyPods(namespace, "app=cart", 2);
    assert.doesNotMatch(await marks(), /localizer\.dev/);
    // As earlier versions have left it.
    const stale = ["localizer.dev/session=dddddddd-0000-4000-8000-00000000000d", "localizer.dev/original-replicas=7"];
    await kubectl("annotate", "replicaset", "-l", "app=cart", ...stale);
    await kubectl("set", "env", "deployment/cart", "UNDONE=yes");
    await kubectl("rollout", "undo", "deployment/cart");
    await kubectl("rollout", "status", "deployment/cart", "--timeout=60s");
    assert.match(await kubectl("get", "deployment", "cart", "-o", "json"), /00000000000d/);
    await expose(daemon, { namespace, service: "cart" });
    await stopExpose(daemon, { namespace, service: "cart" });
    const cart = await place.get("deployment", "cart");
    assert.equal(Reflect.get(Object(scaledState(cart)), "replicas"), 2);
    assert.doesNotMatch(JSON.stringify(cart), /localizer\.dev/);
    await cluster.waitForReadyPods(namespace, "app=cart", 2);
  });

  test("the original's Go client exposes and stops, and sees progress and errors", async () => {
    const { namespace } = place;
    const { socket } = daemon.place;
    const request = { namespace, service: "cart" };
    const patient = { deadline: "60s" };
    await assert.rejects(runGoClient(socket, "ExposeService", { ...request, service: "carts" }, "original", patient), {
      grpcCode: "NotFound",
      message: /did you mean "cart"\?/,
    });
    const lines = JSON.stringify(await runGoClient(socket, "ExposeService", request, "original", patient));
    assert.match(lines, /is set from 2 to 0.*is exposed: port 80 leads to/);
    assert.equal(Reflect.get(Object(scaledState(await place.get("deployment", "cart"))), "replicas"), 0);
    const ended = JSON.stringify(await runGoClient(socket, "StopExpose", request, "original", patient));
    assert.match(ended, /is set to 2 again.*is as it was before/);
  });

  test("what cannot be exposed is refused, and nothing is left", async () => {
    const { namespace } = place;
    const refused = async (service: string, pattern: RegExp, code: string) => {
      await assert.rejects(expose(daemon, { namespace, service }), (error: Error) => {
        assert.match(error.message, pattern);
        assert.equal(Reflect.get(error, "code"), code);
        return true;
      });
    };
    await refused("carts", /has no such Service; did you mean "cart"/, "not-found");
    await expose(daemon, { namespace, service: "cart" });
    await refused("cart", /is exposed by this daemon already/, "conflict");
    await stopExpose(daemon, { namespace, service: "cart" });
    await assert.rejects(stopExpose(daemon, { namespace, service: "cart" }), /does not expose it/);
    await waitFor("what was made to go", async () => (await place.leftovers()).length === 0, { timeoutMs: 20_000 });
  });
});

describe("expose, of a custom resource with a number of replicas", () => {
  test("it is scaled by its subresource and set back", async () => {
    await using kind = await scalableKind();
    await using place = await openExposePlace({ objects: (namespace) => kind.objects(namespace) });
    const { namespace, cluster } = place;
    await kind.adoptPod(place);
    await cluster.waitForReadyPods(namespace, "app=fleet", 1);
    const before = scaledState(await place.get(kind.plural, "fleet"));
    await using local = await place.process("laptop");
    const daemon = await place.daemon();
    const lines = await expose(daemon, { namespace, service: "fleet", portMaps: [`${local.port}:80`] });
    assert.ok(
      lines.some(({ step, message }) => step === "scale-down" && message.includes("from 3 to 0")),
      JSON.stringify(lines),
    );
    await stopExpose(daemon, { namespace, service: "fleet", noWait: true });
    assert.deepEqual(scaledState(await place.get(kind.plural, "fleet")), before);
    await waitFor("what was made to go", async () => (await place.leftovers()).length === 0, { timeoutMs: 20_000 });
  });
});
