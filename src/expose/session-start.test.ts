import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { calling, finished, sessions } from "../../test/support/expose-lab.ts";
import { KeeperLab } from "../../test/support/keeper-lab.ts";
import { LocalizerError } from "../errors.ts";
import { numberAt, textAt } from "../kube/json.ts";
import { podOptions } from "./pod-options.ts";
import { makePod, type StartOptions, scaleOwners } from "./session-start.ts";

const pod = "localizer-cart-0a1b2c3d-2";

/** A second pod is being made, as at a start. */
function making(keeper: KeeperLab, more: Pick<StartOptions, "beforeLabels"> = {}) {
  const { signal } = new AbortController();
  const options = { signal, report: keeper.lines.report, ...more };
  return finished(keeper.lab.clock, makePod(keeper.components, keeper.settings, keeper.holdings, options));
}

function says(keeper: KeeperLab, status: object) {
  keeper.lab.patch("pods", pod, { status: { phase: "Running", ...status } });
}

const crashed = {
  containerStatuses: [
    {
      name: "sshd",
      state: { terminated: { exitCode: 127, reason: "Error", message: "no sshd in this image" } },
    },
  ],
};
const sentence = {
  code: "unavailable",
  message: `Pod "${pod}" does not start: Error: container sshd ended with exit code 127 (Error): no sshd in this image`,
};

test("makePod() connects again when SSH is lost before the pod is ready", async () => {
  await using keeper = await KeeperLab.open();
  keeper.podsRun = false;
  const made = making(keeper);
  await keeper.until(() => keeper.lab.names("pods").includes(pod));
  says(keeper, {});
  await keeper.until(() => keeper.connections.length === 2);
  await turns(20);
  keeper.connections[1]?.lose();
  await keeper.until(() => keeper.connections.length === 3);
  assert.deepEqual(keeper.warnings, ["Connecting again: The connection was lost"]);
  says(keeper, { conditions: [{ type: "Ready", status: "True" }] });
  await made;
  assert.equal(keeper.lab.find("pods", pod)?.metadata.labels?.app, "cart");
});

test("makePod() tells what the pod waits for, and that this is over", async () => {
  await using keeper = await KeeperLab.open();
  keeper.podsRun = false;
  const made = making(keeper);
  await keeper.until(() => keeper.lab.names("pods").includes(pod));
  const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "no node is free" }];
  says(keeper, { phase: "Pending", conditions });
  await keeper.until(() => keeper.warnings.length === 1);
  says(keeper, { conditions: [{ type: "Ready", status: "True" }] });
  await made;
  assert.deepEqual(
    keeper.lines.lines.slice(1, 3).map(({ level, message }) => `${level}: ${message}`),
    [`warn: Pod "${pod}" waits: Unschedulable: no node is free`, `info: Pod "${pod}" runs`],
  );
});

test("makePod() tells what keeps it from connecting once that has lasted, and again when it is something else", async () => {
  await using keeper = await KeeperLab.open();
  keeper.podsRun = false;
  const { clock } = keeper.lab;
  let message = "Port 8080 is taken";
  const quietMs: number[] = [];
  keeper.onDial = () => {
    if (keeper.warnings.length === 0) quietMs.push(clock.monotonic());
    if (message !== "") throw new LocalizerError("unavailable", message);
  };
  const made = making(keeper);
  await keeper.until(() => keeper.lab.names("pods").includes(pod));
  says(keeper, {});
  await keeper.until(() => keeper.warnings.length === 1);
  const [firstMs = 0, toldMs = 0] = [quietMs[0], quietMs.at(-1)];
  assert.ok(toldMs - firstMs >= 5_000 && toldMs - firstMs < 7_000, `${quietMs}`);
  await keeper.until(() => clock.monotonic() > toldMs + 30_000);
  assert.equal(keeper.warnings.length, 1);
  message = "Nobody listens";
  await keeper.until(() => keeper.warnings.length === 2);
  message = "";
  says(keeper, { conditions: [{ type: "Ready", status: "True" }] });
  await made;
  const sentence = `Cannot connect to pod "${pod}" yet`;
  assert.deepEqual(keeper.warnings, [`${sentence}: Port 8080 is taken`, `${sentence}: Nobody listens`]);
});

test("makePod() fails at once when the image has no sshd, though the pod counts as running", async () => {
  await using keeper = await KeeperLab.open();
  keeper.podsRun = false;
  const began = keeper.lab.clock.monotonic();
  keeper.onDial = () => {
    throw new LocalizerError("refused", "Nobody listens");
  };
  const made = assert.rejects(making(keeper), sentence);
  await keeper.until(() => keeper.lab.names("pods").includes(pod));
  says(keeper, {});
  await keeper.until(() => keeper.lab.clock.monotonic() > began);
  says(keeper, crashed);
  await made;
});

test("makePod() fails at once when the container ends while it is waited for", async () => {
  await using keeper = await KeeperLab.open();
  keeper.podsRun = false;
  const made = assert.rejects(making(keeper), sentence);
  await keeper.until(() => keeper.lab.names("pods").includes(pod));
  says(keeper, {});
  await keeper.until(() => keeper.connections.length === 2);
  says(keeper, crashed);
  await made;
});

test("makePod() takes the last step before the labels with the pod ready, and again when SSH is lost meanwhile", async () => {
  await using keeper = await KeeperLab.open();
  const labels: unknown[] = [];
  await making(keeper, {
    async beforeLabels({ signal }) {
      const seen = keeper.lab.find("pods", pod);
      labels.push([seen?.metadata.labels?.app, textAt(seen, "status", "phase")]);
      if (labels.length > 1) return;
      keeper.connections[1]?.lose();
      signal.throwIfAborted();
    },
  });
  assert.deepEqual(labels, Array(2).fill([undefined, "Running"]));
  assert.equal(keeper.lab.find("pods", pod)?.metadata.labels?.app, "cart");
});

test("makePod() puts labels on late by which others lead to the pod, and keeps them when the Service's are put on again", async () => {
  await using keeper = await KeeperLab.open();
  const { components, holdings } = keeper;
  const seen = () => {
    const { tier, team, app } = keeper.lab.find("pods", pod)?.metadata.labels ?? {};
    return { tier, team, app };
  };
  const before: unknown[] = [];
  const settings = { ...keeper.settings, pod: podOptions({ labels: { tier: "web", team: "a" } }, "0.0.0") };
  holdings.plan = { ...holdings.plan, lateLabels: ["tier"] };
  const { signal } = new AbortController();
  const beforeLabels = async () => void before.push(seen());
  const options = { signal, report: keeper.lines.report, beforeLabels };
  await finished(keeper.lab.clock, makePod(components, settings, holdings, options));
  assert.deepEqual(before, [{ tier: undefined, team: "a", app: undefined }]);
  assert.deepEqual(seen(), { tier: "web", team: "a", app: "cart" });
  keeper.lab.patch("pods", pod, { metadata: { labels: { tier: "", app: "" } } });
  await holdings.pod?.select({ app: "cart" }, signal);
  assert.deepEqual(seen(), { tier: "web", team: "a", app: "cart" });
});

test("scaleOwners() asks before each try who holds the Lease, and sets nothing to 0 that is not the session's any more", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  const { lab, holdings } = keeper;
  const replicas = () => numberAt(lab.find("deployments.apps", "cart"), "spec", "replicas");
  lab.patch("deployments.apps", "cart", { spec: { replicas: 2 } }, "argocd");
  lab.fail(calling("patch", "deployments"), { kind: "failure", code: 503 });
  const options = { signal: new AbortController().signal, report: keeper.lines.report };
  const scaled = scaleOwners(keeper.components, keeper.settings, holdings, holdings.record.owners, options);
  const refused = assert.rejects(scaled, { code: "conflict", message: "The exposure was taken over by bob@desk" });
  await lab.clock.asleep();
  lab.patch("leases.coordination.k8s.io", "localizer-cart", { spec: { holderIdentity: `bob@desk/${sessions.bob}` } });
  const [pause] = lab.clock.sleeps;
  await lab.clock.advance(pause ?? 0);
  await refused;
  assert.deepEqual([replicas(), lab.writes], [2, ["PATCH leases/localizer-cart", "PATCH deployments/cart"]]);
});
