import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { podState } from "./pod-state.ts";

const running = { name: "sshd", restartCount: 0, ready: true, state: { running: {} } };
const condition = (type: string, status: string, reason?: string, message?: string) => ({
  type,
  status,
  reason,
  message,
});

function pod(status: object, parts: { readonly spec?: object; readonly metadata?: object } = {}): object {
  const spec = { nodeName: "n1", containers: [{ name: "sshd" }], ...parts.spec };
  return {
    metadata: { name: "p", ...parts.metadata },
    spec,
    status: { phase: "Running", podIP: "10.0.0.7", ...status },
  };
}

function waiting(reason: string, message?: string, more: object = {}): object {
  return pod({
    phase: "Pending",
    containerStatuses: [{ name: "sshd", state: { waiting: { reason, message } }, ...more }],
  });
}

test("podState() reads a pod that is well", () => {
  const conditions = [
    condition("PodScheduled", "True"),
    condition("Ready", "True"),
    condition("ContainersReady", "True"),
  ];
  assert.deepEqual(podState(pod({ conditions, containerStatuses: [running] })), {
    phase: "Running",
    ready: true,
    deleting: false,
    ip: "10.0.0.7",
    node: "n1",
    containers: ["sshd"],
    restarts: 0,
  });
});

test("podState() finds no problem in a pod that is starting", () => {
  for (const reason of ["ContainerCreating", "PodInitializing"]) {
    assert.equal(podState(waiting(reason)).problem, undefined, reason);
  }
  assert.equal(podState(pod({ phase: "Pending" })).problem, undefined);
  const notReady = [condition("Ready", "False", "ContainersNotReady"), condition("ContainersReady", "False")];
  assert.equal(podState(pod({ conditions: notReady, containerStatuses: [running] })).problem, undefined);
});

test("podState() says why a container does not start", () => {
  for (const reason of [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "CreateContainerConfigError",
    "RunContainerError",
  ]) {
    assert.deepEqual(podState(waiting(reason, "in the cluster's words")).problem, {
      reason,
      message: "in the cluster's words",
    });
  }
});

test("podState() says of a container that ends again and again how it ended", () => {
  const lastState = { terminated: { exitCode: 127, reason: "Error", message: "no sshd in this image\n" } };
  const state = podState(
    waiting("CrashLoopBackOff", "back-off 10s restarting failed container", { lastState, restartCount: 3 }),
  );
  assert.deepEqual(state.problem, {
    reason: "CrashLoopBackOff",
    message:
      "back-off 10s restarting failed container; container sshd ended with exit code 127 (Error): no sshd in this image",
  });
  assert.equal(state.restarts, 3);
});

test("podState() names a container that has ended", () => {
  const state = { terminated: { exitCode: 137, reason: "OOMKilled" } };
  assert.deepEqual(podState(pod({ containerStatuses: [{ name: "sshd", state }] })).problem, {
    reason: "OOMKilled",
    message: "container sshd ended with exit code 137 (OOMKilled)",
  });
});

test("podState() takes an init container that is through for no problem, and one that failed for one", () => {
  const init = (exitCode: number) => ({ name: "init", state: { terminated: { exitCode, reason: "Error" } } });
  assert.equal(podState(pod({ initContainerStatuses: [init(0)], containerStatuses: [running] })).problem, undefined);
  assert.equal(
    podState(pod({ initContainerStatuses: [init(1)], containerStatuses: [running] })).problem?.reason,
    "Error",
  );
});

test("podState() passes on what the scheduler says", () => {
  const message = "0/1 nodes are available: 1 Insufficient memory.";
  const state = podState(
    pod({ phase: "Pending", conditions: [condition("PodScheduled", "False", "Unschedulable", message)] }),
  );
  assert.deepEqual(state.problem, { reason: "Unschedulable", message });
});

test("podState() passes on why the pod has ended", () => {
  const message = "The node was low on resource: memory.";
  const ended = pod({ phase: "Failed", reason: "Evicted", message, containerStatuses: [running] });
  assert.deepEqual(podState(ended).problem, { reason: "Evicted", message });
  assert.equal(podState(pod({ phase: "Failed" })).problem?.reason, "Failed");
});

test("podState() knows a pod that the cluster is about to end", () => {
  const conditions = [condition("DisruptionTarget", "True", "EvictionByEvictionAPI", "Eviction API: evicting")];
  const state = podState(pod({ conditions }, { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }));
  assert.equal(state.deleting, true);
  assert.deepEqual(state.problem, { reason: "EvictionByEvictionAPI", message: "Eviction API: evicting" });
});

test("podState() has no problem with a pod that is only being deleted", () => {
  const state = podState(
    pod({ containerStatuses: [running] }, { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }),
  );
  assert.equal(state.deleting, true);
  assert.equal(state.problem, undefined);
});

test("podState() knows a node that does not report, by the conditions that it left", () => {
  const lost = [condition("Ready", "False"), condition("ContainersReady", "True")];
  assert.deepEqual(podState(pod({ conditions: lost, containerStatuses: [running] })).problem, {
    reason: "NodeNotReady",
    message: "node n1 does not report",
  });
  const gate = [condition("Ready", "False", "ReadinessGatesNotReady"), condition("ContainersReady", "True")];
  assert.equal(podState(pod({ conditions: gate })).problem, undefined);
  assert.equal(podState(pod({ reason: "NodeLost", message: "Node n1 is unresponsive" })).problem?.reason, "NodeLost");
});

test("podState() names the runtime class, and containers that were added", () => {
  const initContainers = [{ name: "once" }, { name: "mesh", restartPolicy: "Always" }];
  const containers = [{ name: "sshd" }, { name: "proxy" }];
  const state = podState(pod({}, { spec: { runtimeClassName: "gvisor", containers, initContainers } }));
  assert.equal(state.runtimeClass, "gvisor");
  assert.deepEqual(state.containers, ["sshd", "proxy", "mesh"]);
});

test("podState() takes anything", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => assert.equal(typeof podState(value).ready, "boolean")));
  const statuses = fc.record({ phase: fc.string(), containerStatuses: fc.jsonValue(), conditions: fc.jsonValue() });
  fc.assert(fc.property(statuses, (status) => assert.equal(podState({ status }).deleting, false)));
});
