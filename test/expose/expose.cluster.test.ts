/** Exposing on the real cluster: every kind of owner, in a restricted namespace, for a user with the role edit and nothing more. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { numberAt } from "../../src/kube/json.ts";
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

/** Exposes the Service and stops: who reaches whom meanwhile and afterwards, what is set to 0, and that all is as before. */
async function standsIn(
  { namespace, cluster, ...place }: ExposePlace,
  daemon: LocalizerRun,
  wish: {
    readonly service: string;
    readonly port: string;
    /** `kind/name` each. */
    readonly owners: readonly string[];
    /** The field of `spec` that says how many. */
    readonly size?: string;
  },
) {
  const { service, owners, size = "replicas" } = wish;
  const objects = () =>
    Promise.all(
      owners.map((owner) => {
        const [kind = "", name = ""] = owner.split("/");
        return place.get(kind, name);
      }),
    );
  const sizes = async () => (await objects()).map((object) => numberAt(object, "spec", size));
  const states = async () => (await objects()).map(scaledState);
  const before = { states: await states(), sizes: await sizes() };
  await using local = await place.process("laptop");
  const lines = await expose(daemon, { namespace, service, portMaps: [`${local.port}:${wish.port}`] });
  assert.equal(lines.at(-1)?.step, "exposed");
  assert.deepEqual(
    await sizes(),
    owners.map(() => 0),
  );
  assert.match(await place.call(service, 80), /hello from laptop/);
  await using other = await place.daemon({ kubeconfig: cluster.kubeconfig });
  const address = other.addressOf(`${service}.${namespace}.svc`);
  assert.match(await (await fetch(`http://${address}/`)).text(), /hello from laptop/);
  const listed = await exposureOf(daemon, service);
  assert.equal(listed?.state, "exposed");
  const named = listed.owners.map(({ kind, name }) => `${kind.toLowerCase()}/${name}`).sort();
  assert.deepEqual(named, [...owners].sort());
  const ended = await stopExpose(daemon, { namespace, service });
  assert.equal(ended.at(-1)?.step, "ended");
  await waitFor("what was made to go", async () => (await place.leftovers()).length === 0, { timeoutMs: 20_000 });
  assert.deepEqual({ states: await states(), sizes: await sizes() }, before);
  assert.match(await place.call(service, 80), /hello from (?!laptop)/);
  return lines;
}

describe("expose, in a restricted namespace, with the role edit", () => {
  const stack = new AsyncDisposableStack();
  let place: ExposePlace;
  let daemon: LocalizerRun;

  before(async () => {
    place = stack.use(
      await openExposePlace({
        objects: (namespace) => [
          ...restrictedApp(namespace, "cart"),
          ...restrictedApp(namespace, "orderly", 2, { preStopSeconds: 3 }),
          ...scaledObjects(namespace).map(restricted),
          lowService(namespace),
          ...accountObjects(editor(namespace)),
        ],
        labels: { "pod-security.kubernetes.io/enforce": "restricted" },
      }),
    );
    const { cluster, namespace } = place;
    for (const [app, count] of [
      ["cart", 2],
      ["orderly", 2],
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
      await standsIn(place, daemon, { service, port: "http", owners });
    });
  }

  test("requests at 20 a second from start to end of an exposure: none fails", async (t) => {
    const { namespace, cluster } = place;
    await using local = await place.process("laptop");
    await using other = await place.daemon({ kubeconfig: cluster.kubeconfig });
    const at = { address: other.addressOf(`orderly.${namespace}.svc`), port: 80 };
    await using steady = startSteadyClient(at, { everyMs: 50, atMost: 20, timeoutMs: 30_000 });
    const exposing = { sinceMs: steady.nowMs(), untilMs: 0 };
    await expose(daemon, { namespace, service: "orderly", portMaps: [`${local.port}:http`] });
    exposing.untilMs = steady.nowMs();
    await sleep(500);
    const stopping = { sinceMs: steady.nowMs(), untilMs: 0 };
    await stopExpose(daemon, { namespace, service: "orderly" });
    stopping.untilMs = steady.nowMs();
    await cluster.waitForReadyPods(namespace, "app=orderly", 2);
    const exchanges = await steady.stop();
    t.diagnostic(`${exchanges.length} requests`);
    assert.ok(exchanges.length > 50);
    const failures = failuresOf(exchanges);
    assert.deepEqual(failures, [], JSON.stringify({ failures, exposing, stopping }));
  });

  test("what was asked before the stop is still answered", async () => {
    const { namespace, cluster } = place;
    const { promise: isReady, resolve: answer } = Promise.withResolvers<void>();
    await using local = await place.process("laptop", isReady);
    await using other = await place.daemon({ kubeconfig: cluster.kubeconfig });
    await expose(daemon, { namespace, service: "orderly", portMaps: [`${local.port}:http`] });
    const address = other.addressOf(`orderly.${namespace}.svc`);
    const answered = fetch(`http://${address}/`).then((response) => response.text());
    const asked = async () => (await exposureOf(daemon, "orderly"))?.ports.some(({ bytesIn }) => bytesIn > 0);
    await waitFor("the question", asked, { timeoutMs: 10_000 });
    const lines = await stopExpose(daemon, { namespace, service: "orderly" }, ({ message }) => {
      if (message === "The local process has 3 s to answer on one connection") answer();
    });
    assert.match(await answered, /hello from laptop/);
    assert.deepEqual([lines.at(-1)?.step, lines.filter(({ level }) => level !== "info")], ["ended", []]);
  });

  test("both ports at once, each to its own local process", async () => {
    const { namespace } = place;
    await using laptop = await place.process("laptop");
    await using desk = await place.process("desk");
    await expose(daemon, { namespace, service: "cart", portMaps: [`${laptop.port}:http`, `${desk.port}:7000`] });
    const answers = await Promise.all([place.call("cart", 80), place.call("cart", 7000)]);
    assert.match(answers[0], /hello from laptop/);
    assert.match(answers[1], /hello from desk/);
    await stopExpose(daemon, { namespace, service: "cart" });
  });

  test("a port on which nobody listens says so, and the other one answers", async () => {
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

  test("a target port below 1024 leads to the local process, though nobody is root there", async () => {
    const { namespace } = place;
    await using local = await place.process("laptop");
    await expose(daemon, { namespace, service: "low", portMaps: [`${local.port}:80`] });
    assert.match(await place.call("low", 80), /hello from laptop/);
    assert.deepEqual(
      (await exposureOf(daemon, "low"))?.ports.map(({ local, remote }) => ({ local, remote })),
      [{ local: local.port, remote: 80 }],
    );
    await stopExpose(daemon, { namespace, service: "low" });
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
    await kubectl("rollout", "status", "deployment/cart", "--timeout=240s");
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
    assert.match(ended, /is set to 2 again.*is not exposed any more/);
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
  test("a pod and another daemon's tunnel reach the local process, then its own number is as before", async () => {
    await using kind = await scalableKind();
    await using place = await openExposePlace({ objects: (namespace) => kind.objects(namespace) });
    await using _operator = kind.operate(place);
    await place.cluster.waitForReadyPods(place.namespace, "app=fleet", 1);
    const daemon = await place.daemon();
    const owners = [`${kind.kind}/fleet`];
    const lines = await standsIn(place, daemon, { service: "fleet", port: "80", owners, size: "size" });
    const said = lines.filter(({ step }) => step === "scale-down").map(({ message }) => message);
    assert.match(said.join("\n"), /from 3 to 0/);
    assert.equal(numberAt(await place.get(kind.kind, "fleet"), "spec", "size"), 3);
  });
});

/** In front of the pods of "cart", which listen elsewhere. */
function lowService(namespace: string): object {
  const spec = { selector: { app: "cart" }, ports: [{ port: 80, targetPort: 80 }] };
  return { apiVersion: "v1", kind: "Service", metadata: { name: "low", namespace }, spec };
}
