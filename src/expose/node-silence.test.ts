import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { KeeperLab } from "../../test/support/keeper-lab.ts";
import { LocalizerError } from "../errors.ts";
import { at } from "../kube/json.ts";

const pod = "localizer-cart-0a1b2c3d";

/** As the node controller leaves a pod whose kubelet is not heard of. */
const silent = {
  phase: "Running",
  conditions: [
    { type: "Ready", status: "False" },
    { type: "ContainersReady", status: "True" },
  ],
};

for (const [what, status] of [
  ["does not report any more", silent],
  ["is lost", { phase: "Unknown" }],
] as const) {
  test(`keepSession() makes another pod elsewhere when the node ${what} and nothing connects`, async () => {
    await using keeper = await KeeperLab.open({ replicas: 3 });
    const { lab, connections } = keeper;
    await keeper.kept();
    lab.patch("pods", pod, { spec: { nodeName: "node-1" } });
    keeper.onDial = (endpoint) => {
      if (endpoint.pod.name === pod) throw new LocalizerError("unavailable", "No route to the kubelet");
    };
    const began = lab.clock.monotonic();
    lab.patch("pods", pod, { status });
    connections[0]?.lose();
    await keeper.until(() => connections.length === 2);
    await keeper.state("exposed");
    const ms = lab.clock.monotonic() - began;
    assert.ok(ms >= 40_000 && ms < 60_000, `${ms} ms`);
    // The node confirms nothing: without force the old one would be there for good.
    assert.deepEqual([connections[1]?.pod, lab.names("pods")], [`${pod}-2`, [`${pod}-2`]]);
    const affinity = at(lab.find("pods", `${pod}-2`), "spec", "affinity", "nodeAffinity");
    assert.match(JSON.stringify(affinity), /"operator":"NotIn","values":\["node-1"\]/);
    assert.ok(
      keeper.states.includes(
        `reconnecting: Pod "${pod}" is on a node that does not report any more, making another one`,
      ),
    );
  });
}

test("keepSession() keeps a pod whose node is silent as long as it is connected to, or heard of again in time", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await keeper.kept();
  keeper.lab.patch("pods", pod, { status: silent });
  await keeper.until(() => keeper.holdings.pods.objects.list()[0]?.state.problem !== undefined);
  // In small steps: a sign of life that is on its way must not be taken for one that hangs.
  for (let second = 0; second < 100; second += 4) {
    await keeper.lab.clock.advance(4_000);
    await turns(100);
  }
  assert.deepEqual([keeper.states, keeper.connections.length], [["exposed"], 1]);
  const conditions = [{ type: "Ready", status: "True" }];
  keeper.lab.patch("pods", pod, { status: { phase: "Running", conditions } });
  await keeper.until(() => keeper.holdings.pods.objects.list()[0]?.state.problem === undefined);
  keeper.connections[0]?.lose();
  await keeper.until(() => keeper.connections.length === 2);
  assert.equal(keeper.connections[1]?.pod, pod);
});

test("keepSession() says why a container cannot run instead of connecting to it", async () => {
  await using keeper = await KeeperLab.open();
  await keeper.kept();
  const waiting = { reason: "CrashLoopBackOff", message: "back-off 10s" };
  const containerStatuses = [{ name: "sshd", state: { waiting } }];
  keeper.lab.patch("pods", pod, { status: { phase: "Running", containerStatuses } });
  await keeper.until(() => keeper.holdings.pods.objects.list()[0]?.state.problem !== undefined);
  keeper.connections[0]?.lose();
  await keeper.state(`reconnecting: Pod "${pod}" does not start: CrashLoopBackOff: back-off 10s`);
  keeper.lab.patch("pods", pod, { status: { phase: "Running", containerStatuses: [] } });
  await keeper.state("exposed");
});
