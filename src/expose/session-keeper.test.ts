import assert from "node:assert/strict";
import { test } from "node:test";
import { calling, sessions } from "../../test/support/expose-lab.ts";
import { exposedPort } from "../../test/support/expose-plan.ts";
import { KeeperLab } from "../../test/support/keeper-lab.ts";
import { LocalizerError } from "../errors.ts";
import { at, textAt } from "../kube/json.ts";
import { isPodLost } from "./session-start.ts";

const leases = "leases.coordination.k8s.io";
const lease = "localizer-cart";
const pod = "localizer-cart-0a1b2c3d";

function renewedAt(keeper: KeeperLab): string {
  return textAt(keeper.lab.find(leases, lease), "spec", "renewTime") ?? "";
}

test("keepSession() gives a sign of life in time, and otherwise writes nothing", async () => {
  await using keeper = await KeeperLab.open();
  const { end } = await keeper.kept();
  const first = renewedAt(keeper);
  await keeper.lab.clock.advance(14_999);
  assert.deepEqual([keeper.lab.writes, renewedAt(keeper)], [[], first]);
  await keeper.lab.clock.advance(1);
  await keeper.until(() => renewedAt(keeper) !== first);
  assert.deepEqual(keeper.lab.writes, [`PATCH leases/${lease}`]);
  assert.deepEqual(keeper.states, ["exposed"]);
  keeper.stop();
  assert.equal(await end, "stopped");
});

test("keepSession() ends with its signal, and leaves no timer", async () => {
  await using keeper = await KeeperLab.open();
  const { end } = await keeper.kept();
  keeper.stop();
  assert.equal(await end, "stopped");
  await keeper.holdings.heartbeat?.[Symbol.asyncDispose]();
  assert.equal(keeper.lab.clock.pending, 0);
});

test("keepSession() connects again when SSH is lost: the same pod and key, and all ports", async () => {
  await using keeper = await KeeperLab.open({ ports: [exposedPort(8080), exposedPort(9090)] });
  await keeper.kept();
  keeper.connections[0]?.lose();
  await keeper.until(() => keeper.connections.length === 2);
  await keeper.state("exposed");
  assert.deepEqual(keeper.states, ["exposed", "reconnecting: The connection was lost", "exposed"]);
  const [first, second] = keeper.connections;
  assert.deepEqual([second?.pod, second?.identity], [pod, first?.identity]);
  assert.deepEqual(second?.ports, [8080, 9090]);
  assert.deepEqual(keeper.lab.writes, [`PATCH leases/${lease}`]);
});

test("keepSession() goes on connecting while the pod does not answer", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  let left = 5;
  keeper.onDial = () => {
    if (left-- > 0) throw new LocalizerError("refused", "Nobody listens");
  };
  keeper.connections[0]?.lose();
  await keeper.until(() => keeper.connections.length === 2);
  await keeper.state("exposed");
});

test("keepSession() says why it cannot connect, and tries again", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  let left = 3;
  keeper.onDial = () => {
    if (left-- > 0) throw new LocalizerError("denied", "Another host key");
  };
  keeper.connections[0]?.lose();
  await keeper.state("exposed");
  await keeper.until(() => keeper.connections.length === 2);
  await keeper.state("exposed");
  assert.ok(keeper.states.includes("reconnecting: Another host key"));
});

for (const [what, lose] of [
  ["deleted", (keeper) => keeper.lab.remove("pods", pod)],
  ["evicted", (keeper) => keeper.lab.patch("pods", pod, { status: { phase: "Failed", reason: "Evicted" } })],
  [
    "being deleted",
    ({ lab }) => {
      lab.patch("pods", pod, { spec: { nodeName: "node-1" } });
      lab.server.objects.delete({ resource: lab.server.resource("pods"), namespace: "shop" }, pod);
    },
  ],
] satisfies readonly (readonly [string, (keeper: KeeperLab) => unknown])[]) {
  test(`keepSession() makes another pod with new keys when the pod is ${what}`, async () => {
    await using keeper = await KeeperLab.open({ replicas: 3 });
    const { lab, holdings, connections } = keeper;
    const { record } = holdings;
    await keeper.kept();
    lose(keeper);
    await keeper.until(() => connections.length === 2);
    await keeper.state("exposed");
    const [first, second] = connections;
    assert.equal(second?.pod, `${pod}-2`);
    assert.notEqual(second?.identity.hostKey, first?.identity.hostKey);
    assert.notEqual(second?.identity.clientKey.publicKey, first?.identity.clientKey.publicKey);
    assert.equal(lab.find("pods", `${pod}-2`)?.metadata.labels?.app, "cart");
    assert.deepEqual(lab.names("secrets"), [`${pod}-2`]);
    assert.equal(holdings.record, record);
    assert.ok(keeper.states.includes(`reconnecting: Pod "${pod}" is gone, making another one`));
  });
}

test("keepSession() tries again to make a pod, and says what the cluster has against it", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  keeper.lab.fail(calling("create", "pods"), { kind: "forbidden" }, 2);
  keeper.lab.remove("pods", pod);
  await keeper.state(/^reconnecting: .*pods.* is forbidden/);
  await keeper.state("exposed");
  assert.deepEqual(keeper.lab.names("pods"), [`${pod}-4`]);
  assert.deepEqual(keeper.lab.names("secrets"), [`${pod}-4`]);
});

test("keepSession() puts a pod behind the Service that took longer to come than one try", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  keeper.podsRun = false;
  keeper.lab.remove("pods", pod);
  await keeper.until(() => keeper.holdings.pod?.name === `${pod}-2` && !isPodLost(keeper.holdings));
  await keeper.lab.clock.advance(60_000);
  await keeper.state(/^reconnecting: Cannot make a pod in place of the one that is gone: no answer within/);
  keeper.podsRun = true;
  keeper.lab.patch("pods", `${pod}-2`, { metadata: { labels: { touched: "yes" } } });
  await keeper.state("exposed");
  assert.deepEqual(keeper.lab.names("pods"), [`${pod}-2`]);
  assert.equal(keeper.lab.find("pods", `${pod}-2`)?.metadata.labels?.app, "cart");
});

test("keepSession() does not wait for a connection to a pod that goes meanwhile", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  const began = keeper.lab.clock.monotonic();
  keeper.onDial = (endpoint) => {
    if (endpoint.pod.name !== pod) return;
    if (keeper.lab.find("pods", pod) !== undefined) keeper.lab.remove("pods", pod);
    throw new LocalizerError("unavailable", "No route");
  };
  keeper.connections[0]?.lose();
  await keeper.until(() => keeper.connections.length === 2);
  await keeper.state("exposed");
  assert.equal(keeper.connections[1]?.pod, `${pod}-2`);
  assert.ok(keeper.lab.clock.monotonic() - began < 20_000);
});

test("keepSession() ends when the Lease is gone, and changes nothing any more", async () => {
  await using keeper = await KeeperLab.open();
  const { end } = await keeper.kept();
  keeper.lab.remove(leases, lease);
  await keeper.lab.clock.advance(15_000);
  assert.equal(await end, "lease-gone");
  assert.deepEqual(keeper.lab.writes, []);
});

for (const [what, happen] of [
  ["a sign of life is due", (keeper) => keeper.lab.clock.advance(15_000)],
  ["SSH is lost", (keeper) => keeper.connections[0]?.lose()],
  ["the pod is lost", (keeper) => keeper.lab.remove("pods", pod)],
  ["an owner has risen", (keeper) => keeper.lab.patch("deployments.apps", "cart", { spec: { replicas: 2 } }, "hpa")],
] satisfies readonly (readonly [string, (keeper: KeeperLab) => unknown])[]) {
  test(`keepSession() changes nothing of a session that was taken over when ${what}`, async () => {
    await using keeper = await KeeperLab.open({ replicas: 3 });
    const { end } = await keeper.kept();
    keeper.lab.remove(leases, lease);
    keeper.lab.add(leases, lease, { spec: { holderIdentity: `bob@desk/${sessions.bob}` } });
    await happen(keeper);
    assert.equal(await end, "taken-over");
    assert.deepEqual(keeper.lab.writes, []);
    assert.equal(keeper.connections.length, 1);
  });
}

test("keepSession() gets over a server that is away, and says so meanwhile", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  keeper.lab.fail(calling("patch", "leases"), { kind: "failure", code: 503, message: "no etcd" }, 3);
  const first = renewedAt(keeper);
  await keeper.lab.clock.advance(15_000);
  await keeper.state(/^reconnecting: .*no etcd/);
  await keeper.state("exposed");
  assert.notEqual(renewedAt(keeper), first);
});

test("keepSession() gives the pod the labels that the Service has come to select by", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  keeper.lab.patch("services", "cart", { spec: { selector: { app: null, name: "cart", tier: "web" } } });
  const labels = () => keeper.lab.find("pods", pod)?.metadata.labels ?? {};
  await keeper.until(() => keeper.warnings.length > 0);
  const { app, name, tier } = labels();
  assert.deepEqual({ app, name, tier }, { app: undefined, name: "cart", tier: "web" });
  assert.deepEqual(keeper.warnings, ['Service "shop/cart" selects by other labels now; the pod has them']);
  assert.equal(labels()["localizer.dev/session"], sessions.alice);
});

test("keepSession() gives a new pod the labels that the Service selects by now", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  keeper.lab.patch("services", "cart", { spec: { selector: { app: null, name: "cart" } } });
  await keeper.until(() => keeper.warnings.length > 0);
  keeper.lab.remove("pods", pod);
  await keeper.until(() => keeper.connections.length === 2);
  await keeper.state("exposed");
  const { app, name } = keeper.lab.find("pods", `${pod}-2`)?.metadata.labels ?? {};
  assert.deepEqual({ app, name }, { app: undefined, name: "cart" });
  assert.equal(keeper.lab.clock.monotonic() < 1_015_000, true);
});

test("keepSession() gives a new pod the Service's labels where the user's have the same names by now", async () => {
  await using keeper = await KeeperLab.open({ podLabels: { tier: "mine", team: "a" } });
  await keeper.kept();
  keeper.lab.patch("services", "cart", { spec: { selector: { tier: "web" } } });
  await keeper.until(() => keeper.warnings.length > 0);
  keeper.lab.remove("pods", pod);
  await keeper.until(() => keeper.connections.length === 2);
  await keeper.state("exposed");
  const { app, tier, team } = keeper.lab.find("pods", `${pod}-2`)?.metadata.labels ?? {};
  assert.deepEqual({ app, tier, team }, { app: "cart", tier: "web", team: "a" });
});

test("keepSession() says which ports of the Service it does not serve, and when that is over", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  const port = { name: "http", port: 80, targetPort: 8080 };
  keeper.lab.patch("services", "cart", { spec: { ports: [port, { name: "admin", port: 81 }] } });
  await keeper.state("exposed: the Service has other ports now (81); stop and expose it again");
  keeper.lab.patch("services", "cart", { spec: { ports: [{ ...port, targetPort: 8081 }] } });
  await keeper.state("exposed: the Service has other ports now (80); stop and expose it again");
  keeper.lab.patch("services", "cart", { spec: { ports: [port, { name: "dns", port: 53, protocol: "UDP" }] } });
  await keeper.state("exposed");
});

test("keepSession() has nothing to say of ports that were never exposed, for their names lead nowhere", async () => {
  await using keeper = await KeeperLab.open({ ports: [exposedPort(8080, "web")] });
  const web = { name: "http", port: 80, targetPort: "web" };
  const nowhere = { name: "x", port: 99, targetPort: "nowhere" };
  keeper.lab.patch("services", "cart", { spec: { ports: [web, nowhere] } });
  await keeper.kept();
  keeper.lab.patch("services", "cart", { spec: { ports: [web, nowhere, { ...nowhere, name: "y", port: 98 }] } });
  await keeper.state("exposed: the Service has other ports now (98); stop and expose it again");
});

test("keepSession() says that the Service does not exist any more, until it does again", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  keeper.lab.remove("services", "cart");
  await keeper.state("exposed: the Service does not exist any more");
  keeper.lab.service();
  await keeper.state("exposed");
  assert.equal(at(keeper.lab.find("pods", pod), "metadata", "labels", "app"), "cart");
});
