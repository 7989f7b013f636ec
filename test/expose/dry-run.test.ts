/** What a dry run tells beyond the plan. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { listAt } from "../../src/kube/json.ts";
import type { Admit } from "../../src/sandbox/admission.ts";
import { openFaultLab } from "./fault-lab.ts";

/** As an injector of sidecars does it, to pods of exposures alone. */
const injects: Admit = ({ resource }, object) => {
  if (resource.plural !== "pods" || object.metadata.labels?.["localizer.dev/session"] === undefined) return undefined;
  const containers = [...listAt(object, "spec", "containers"), { name: "istio-proxy", image: "proxy" }];
  return { ...object, spec: { ...Object(object.spec), containers } };
};

test("Exposures.expose() with dryRun says what the cluster would add to the pod, and changes nothing", {
  timeout: 120_000,
}, async () => {
  await using lab = await openFaultLab({}, { admit: injects });
  using place = await lab.namespace("dry");
  await using daemon = place.daemon();
  const state = place.state();
  const lines = await daemon.expose({ dryRun: true });
  const message = "The cluster has added to the pod: istio-proxy; should the exposure not come up, that may be why";
  assert.deepEqual(lines.slice(-2), [
    { level: "warn", step: "pod", message },
    { level: "info", step: "ended", message: "The cluster would allow it" },
  ]);
  assert.deepEqual([place.state(), place.leftovers()], [state, []]);
});

test("Exposures.expose() with dryRun claims nothing where the cluster could not be asked", {
  timeout: 120_000,
}, async () => {
  await using lab = await openFaultLab();
  using place = await lab.namespace("unasked");
  await using daemon = place.daemon();
  const message = 'admission webhook "audit.example.com" does not support dry run';
  const fault = lab.sandbox.server.faults.onRequest(
    (call) => call?.verb === "create" && call.resource.plural === "pods",
    { kind: "failure", code: 400, message },
    100,
  );
  const lines = await daemon.expose({ dryRun: true });
  fault[Symbol.dispose]();
  assert.deepEqual(
    lines.slice(-2).map(({ level, message }) => `${level} ${message}`),
    [
      "warn Whether the cluster allows the pod is seen only when it is done: an admission webhook does not support dry runs",
      "info What the cluster can tell before allows it",
    ],
  );
});

test("Exposures.expose() rehearses with all labels, and makes the pod without those that lead callers to it", {
  timeout: 120_000,
}, async () => {
  const seen: unknown[] = [];
  const notes: Admit = ({ resource, operation }, { metadata: { labels = {} } }) => {
    const isOurs = resource.plural === "pods" && labels["localizer.dev/session"] !== undefined;
    if (isOurs && operation === "CREATE") seen.push([labels.app, labels.tier, labels.team]);
    return undefined;
  };
  await using lab = await openFaultLab({}, { admit: notes });
  using place = await lab.namespace("labels");
  const { server } = lab.sandbox;
  const services = { resource: server.resource("services"), namespace: "labels" };
  server.objects.create(services, { metadata: { name: "web" }, spec: { selector: { tier: "web" } } });
  await using daemon = place.daemon();
  const pod = { labels: { tier: "web", team: "a" } };
  await daemon.expose({ dryRun: true, pod });
  assert.deepEqual(seen, [["cart", "web", "a"]]);
  await daemon.expose({ pod });
  assert.deepEqual(seen.slice(1), [
    ["cart", "web", "a"],
    [undefined, undefined, "a"],
  ]);
  await daemon.stop();
  assert.deepEqual(place.leftovers(), []);
});
