/** Two Services of one workload, both exposed: what each of them is told when it ends, and that none of them is ever without anybody. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ExposeWish } from "../../src/expose/exposures-parts.ts";
import { flagAt, listAt } from "../../src/kube/json.ts";
import { type ServiceKey, serviceKey } from "../../src/model/service-key.ts";
import { type FaultLab, type LabDaemon, type LabNamespace, openFaultLab } from "./fault-lab.ts";

/** What the second Service selects by, and whether its pods are behind the first as well. */
const selectors = [
  ["by labels of its own", { part: "web" }],
  ["by the same labels", { app: "cart" }],
] as const;

describe("two exposed Services of one workload", { timeout: 240_000 }, () => {
  let lab: FaultLab;
  let namespaces = 0;

  before(async () => {
    lab = await openFaultLab({ readyMs: 300 });
  });
  after(() => lab?.[Symbol.asyncDispose]());

  async function opened(selector: Readonly<Record<string, string>>) {
    const namespace = `shared${namespaces++}`;
    const place = await lab.namespace(namespace);
    const services = { resource: lab.sandbox.server.resource("services"), namespace };
    const ports = [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }];
    lab.sandbox.server.objects.create(services, { metadata: { name: "too" }, spec: { selector, ports } });
    await lab.workloads.settled();
    const daemon = place.daemon();
    const too = serviceKey(namespace, "too");
    await daemon.expose();
    await daemon.expose({ key: too } satisfies Partial<ExposeWish>);
    await lab.workloads.settled();
    return { place, daemon, too };
  }

  /** Names of Services that had no ready endpoint at some moment from now on. */
  function deserted({ key }: LabNamespace): ReadonlySet<string> & Disposable {
    const slices = lab.sandbox.server.resource("endpointslices.discovery.k8s.io");
    const [namespace = ""] = key.split("/");
    const found = new Set<string>();
    const look = () => {
      const ready = new Map<string, number>();
      for (const slice of lab.sandbox.server.store.list(slices, namespace)) {
        const service = slice.metadata.labels?.["kubernetes.io/service-name"] ?? "";
        const count = listAt(slice, "endpoints").filter((one) => flagAt(one, "conditions", "ready") === true).length;
        ready.set(service, (ready.get(service) ?? 0) + count);
      }
      for (const [service, count] of ready) if (count === 0) found.add(service);
    };
    look();
    const watch = lab.sandbox.server.store.subscribe(look);
    return Object.assign(found, { [Symbol.dispose]: () => watch[Symbol.dispose]() });
  }

  async function stopped(daemon: LabDaemon, key: ServiceKey): Promise<readonly string[]> {
    const lines: string[] = [];
    for await (const { level, step, message } of daemon.exposures.stop(key, { wait: true })) {
      lines.push(`${level} ${step}: ${message}`);
    }
    return lines;
  }

  for (const [how, selector] of selectors) {
    test(`at the daemon's end none of them is without a pod, when the second selects ${how}`, async () => {
      const { place, daemon } = await opened(selector);
      using _place = place;
      await using _daemon = daemon;
      using alone = deserted(place);
      await daemon.exposures[Symbol.asyncDispose]();
      assert.deepEqual([...alone], []);
      assert.deepEqual(place.leftovers(), []);
    });
  }

  test("at the daemon's end none of them is without a pod, also when a stop of one has failed before", async () => {
    const { place, daemon, too } = await opened({ part: "web" });
    using _place = place;
    await using _daemon = daemon;
    const denied = lab.sandbox.server.faults.onRequest(
      (call) => call?.verb === "patch" && call.resource.group === "apps",
      { kind: "failure", code: 403 },
      100_000,
    );
    await assert.rejects(daemon.stop(too), { code: "denied" });
    denied[Symbol.dispose]();
    using alone = deserted(place);
    await daemon.exposures[Symbol.asyncDispose]();
    assert.deepEqual([...alone], []);
    assert.deepEqual(place.leftovers(), []);
  });

  test("whoever ends first hears that the workload stays at 0, and the last one that nothing is exposed any more", async () => {
    const { place, daemon, too } = await opened({ part: "web" });
    using _place = place;
    await using _daemon = daemon;
    const state = place.state();
    const first = await stopped(daemon, too);
    const owner = `Deployment "${too.replace("/too", "/web")}"`;
    const sentence = `${owner} stays at 0 until the exposure of "${place.key}" ends`;
    assert.equal(first[1], `warn scale-back: ${sentence}; "${too}" has none of its pods until then`);
    assert.equal(first.at(-1), `info ended: "${too}" is not exposed any more, but ${sentence}`);
    assert.notDeepEqual(place.state(), state);
    const last = await stopped(daemon, place.key);
    assert.equal(last.at(-1), `info ended: "${place.key}" is not exposed any more`);
    assert.ok(!last.some((line) => line.startsWith("warn")));
    assert.deepEqual(place.leftovers(), []);
  });
});
