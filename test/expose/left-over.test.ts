/** What is left of an exposure that was lost, or that could not be put back, in the simulated cluster: it goes back without anybody asking. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { codeOf, LocalizerError } from "../../src/errors.ts";
import { annotations } from "../../src/expose/records.ts";
import type { ExposeLine } from "../../src/expose/report.ts";
import { leaseRef } from "../../src/expose/session-lease.ts";
import { Objects } from "../../src/kube/objects.ts";
import { namespaceOf, serviceKey } from "../../src/model/service-key.ts";
import { waitFor } from "../cluster/wait.ts";
import { allBack } from "./fault-cases.ts";
import { type FaultLab, type LabDaemon, type LabNamespace, openFaultLab } from "./fault-lab.ts";

const bobs = "bbbbbbbb-0000-4000-8000-000000000002";
const lease = "leases.coordination.k8s.io localizer-cart";

describe("what is left of an exposure", { timeout: 240_000 }, () => {
  let lab: FaultLab;
  let place: LabNamespace;
  let objects: Objects;
  let state: unknown;
  let namespaces = 0;

  before(async () => {
    lab = await openFaultLab();
    objects = new Objects(lab.sandbox.client());
  });
  after(() => lab?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    place = await lab.namespace(`left${namespaces++}`);
    state = place.state();
  });

  const until = (what: string, condition: () => boolean) =>
    waitFor(what, () => condition() || undefined, { timeoutMs: 20_000, intervalMs: 20 });
  const reasonOf = (daemon: LabDaemon) => daemon.exposures.views[0]?.reason ?? "";
  const stateOf = (daemon: LabDaemon) => daemon.exposures.views[0]?.state;
  const isBack = () => allBack(lab, place, state);
  const linesOf = async (lines: AsyncIterable<ExposeLine>) => {
    const told: string[] = [];
    for await (const { message } of lines) told.push(message);
    return told;
  };
  /** Owners refuse to be written, until disposed. */
  const deny = () =>
    lab.sandbox.server.faults.onRequest(
      (call) => call?.verb === "patch" && call.resource.group === "apps" && call.namespace === place.key.split("/")[0],
      { kind: "failure", code: 403 },
      100_000,
    );
  const hold = (holderIdentity: string) => objects.patch(leaseRef(place.key), { spec: { holderIdentity } });
  const sessionOf = (daemon: LabDaemon) => daemon.exposures.views[0]?.record.session ?? "";

  test("of one that somebody has claimed and not put back goes back by itself; the stop says who had it", async () => {
    await using daemon = place.daemon({ hasty: true });
    await daemon.expose();
    await hold(`restore:b0b:bob@desk/${sessionOf(daemon)}`);
    await until("the loss", () => stateOf(daemon) === "lost");
    assert.ok(place.leftovers().some((name) => name.startsWith("journal")));
    await until("all to be back", () => /taken over by bob@desk; nothing is left of it$/.test(reasonOf(daemon)));
    await isBack();
    const told = await linesOf(daemon.exposures.stop(place.key, { wait: true }));
    assert.match(told.at(-1) ?? "", /no exposure of this daemon any more: the exposure was taken over by bob@desk/);
    assert.deepEqual(daemon.exposures.views, []);
  });

  test("of one that somebody is putting back is left to him while he gives signs of life, and goes back after", async () => {
    await using daemon = place.daemon({ hasty: true });
    await daemon.expose();
    const claimed = `restore:b0b:bob@desk/${sessionOf(daemon)}`;
    const resting = new AbortController();
    const bob = (async () => {
      for (let beat = 0; !resting.signal.aborted; beat++) {
        const renewTime = new Date(Date.UTC(2026, 0, 31) + beat).toISOString().replace("Z", "000Z");
        await objects.patch(leaseRef(place.key), { spec: { holderIdentity: claimed, renewTime } });
        await clock.sleep(100);
      }
    })();
    await until("the loss", () => stateOf(daemon) === "lost");
    await assert.rejects(daemon.stop(), {
      code: "conflict",
      message: `Cannot put back "${place.key}": bob@desk is doing so`,
    });
    assert.ok(place.leftovers().includes(lease));
    assert.notDeepEqual(place.state(), state);
    resting.abort();
    await bob;
    await until("all to be back", () => place.leftovers().length === 0);
    await isBack();
  });

  test("of one whose Service somebody else exposes by now goes back where he does not hold it", async () => {
    await using daemon = place.daemon({ hasty: true });
    await daemon.expose();
    await hold(`bob@desk/${bobs}`);
    await until("all to be back", () => place.leftovers().join() === lease);
    await lab.workloads.settled();
    assert.deepEqual(place.state(), state);
  });

  test("stands in the way of no other exposure of that Service", async () => {
    await using daemon = place.daemon();
    await daemon.expose();
    const lost = sessionOf(daemon);
    await hold(`restore:b0b:bob@desk/${lost}`);
    await until("the loss", () => stateOf(daemon) === "lost");
    await daemon.expose();
    assert.equal(stateOf(daemon), "exposed");
    assert.notEqual(sessionOf(daemon), lost);
    await daemon.stop();
    await isBack();
  });

  test("stands in the way of no exposure of another Service with the same pods", async () => {
    await using daemon = place.daemon({ hasty: true });
    await daemon.expose();
    await hold(`restore:b0b:bob@desk/${sessionOf(daemon)}`);
    await until("all to be back", () => /nothing is left of it$/.test(reasonOf(daemon)));
    place.secondService("too");
    await lab.workloads.settled();
    const key = serviceKey(namespaceOf(place.key), "too");
    await daemon.expose({ key, maps: ["9999:80"] });
    await daemon.stop(key);
    await isBack();
  });

  test("is exposed anew after a claim of somebody who has died, however long that had promised to be at it", async () => {
    await using daemon = place.daemon({ settings: { stopMs: 2_000 } });
    await daemon.expose();
    const holderIdentity = `restore:b0b:bob@desk/${sessionOf(daemon)}`;
    await objects.patch(leaseRef(place.key), { spec: { holderIdentity, leaseDurationSeconds: 4 } });
    await until("the loss", () => stateOf(daemon) === "lost");
    const [first, second] = (await daemon.expose()).map(({ message }) => message);
    const lost = "the exposure was taken over by bob@desk";
    const left = `Putting back what is left of "${place.key}", which was no exposure of this daemon any more: ${lost}`;
    assert.equal(first, left);
    assert.equal(second, "Waiting up to 4 s for a sign of life of bob@desk, who has begun to put it back");
    await daemon.stop();
    await isBack();
  });

  test("of one that was put back while its machine slept goes back with a warning: somebody may have changed it since", async () => {
    // It has not heard of it yet.
    await using daemon = place.daemon({ settings: { renewMs: 60_000 } });
    await daemon.expose();
    await objects.delete(leaseRef(place.key), {});
    const { session, replicas, holder } = annotations;
    for (const [plural, name] of [
      ["deployments", "web"],
      ["statefulsets", "db"],
    ] as const) {
      const owner = { group: "apps", version: "v1", plural, namespace: namespaceOf(place.key), name };
      await objects.patch(owner, { metadata: { annotations: { [session]: null, [replicas]: null, [holder]: null } } });
    }
    const lines = await Array.fromAsync(daemon.exposures.stop(place.key, { wait: true }));
    const warned = lines.filter(({ level }) => level === "warn").map(({ message }) => message);
    assert.equal(warned.length, 2);
    for (const line of warned)
      assert.match(line, / was at 0 as an exposure of ".*", whose Lease is gone, has left it, or/);
    await isBack();
  });

  test("of one whose Lease was deleted goes back as soon as it is allowed", async () => {
    await using daemon = place.daemon({ hasty: true });
    await daemon.expose();
    const denied = deny();
    await objects.delete(leaseRef(place.key), {});
    await until("a failure", () => /not everything is put back/.test(reasonOf(daemon)));
    denied[Symbol.dispose]();
    await until(
      "all to be back",
      () => reasonOf(daemon) === "its Lease was deleted by somebody; nothing is left of it",
    );
    await isBack();
    await daemon.stop();
  });

  test("of one whose stop has failed goes back as soon as it is allowed", async () => {
    await using daemon = place.daemon({ hasty: true });
    await daemon.expose();
    const denied = deny();
    await assert.rejects(daemon.stop(), (error) => codeOf(error) === "denied");
    assert.equal(stateOf(daemon), "failed");
    denied[Symbol.dispose]();
    await until("all to be back", () => stateOf(daemon) === undefined);
    await isBack();
  });

  test("by a daemon that is dead is put back by a stop, too, which says what it does", async () => {
    await using dead = place.daemon();
    await dead.expose();
    dead.gate.kill();
    await using next = place.daemon();
    await assert.rejects(next.stop(serviceKey(namespaceOf(place.key), "web")), { code: "not-found" });
    const told = await linesOf(next.exposures.stop(place.key, { wait: true }));
    assert.equal(told[0], `Putting back what an earlier daemon has left of "${place.key}"`);
    assert.equal(told.at(-1), `"${place.key}" is not exposed any more`);
    await isBack();
    await assert.rejects(next.stop(), { code: "not-found" });
  });

  test("by a daemon that is dead is tried again by the next, which says so until it is back", async () => {
    await using dead = place.daemon();
    await dead.expose();
    dead.gate.arm({ at: 0, fault: { kind: "kill", when: "before" } });
    await dead.gate.killed;
    await using next = place.daemon({ hasty: true });
    const denied = deny();
    await next.exposures.recover();
    assert.match(next.exposures.notices.join(), /^Cannot put back "left\d+\/cart": .*told to fail/);
    await assert.rejects(next.stop(), { code: "denied", message: /still as the exposure left it/ });
    denied[Symbol.dispose]();
    await until("the notice to be taken back", () => next.exposures.notices.length === 0);
    await isBack();
  });

  test("is not tried any more when the daemon has ended", async () => {
    const daemon = place.daemon({ hasty: true, settings: { endMs: 300 } });
    await daemon.expose();
    using _denied = deny();
    await assert.rejects(daemon.stop());
    await daemon.exposures[Symbol.asyncDispose]();
    const reads = daemon.gate.reads.length;
    await clock.sleep(1_000);
    assert.equal(daemon.gate.reads.length, reads);
    await daemon[Symbol.asyncDispose]();
  });

  test("a stop says at once that it is under way, and all that the start undoes", async () => {
    // The second owner cannot be scaled for a while: each comes behind a sign of life.
    const plan = { at: 8, fault: { kind: "away", times: 8 } } as const;
    await using daemon = place.daemon({ plan, hasty: true, settings: { renewMs: 60_000 } });
    const started = daemon.expose();
    started.catch(() => {});
    await until("the first owner to be at 0", () => daemon.gate.effects.length === 8);
    const told = await linesOf(daemon.exposures.stop(place.key, { wait: false }));
    assert.match(told[0] ?? "", /^Giving "left\d+\/cart" back$/);
    assert.ok(
      told.some((line) => /^StatefulSet "left\d+\/db" is set to 1 again$/.test(line)),
      told.join("\n"),
    );
    assert.match(told.at(-1) ?? "", /is not exposed any more$/);
    await assert.rejects(started, LocalizerError);
    await isBack();
  });

  test("a stop tells at once what stands in its way when the API server is away", async () => {
    await using daemon = place.daemon({ hasty: true, settings: { renewMs: 60_000 } });
    await daemon.expose();
    daemon.gate.arm({ at: 0, fault: { kind: "away", times: 4 }, amongReads: true });
    const told = await linesOf(daemon.exposures.stop(place.key, { wait: false }));
    assert.match(told[0] ?? "", /^Giving ".*" back$/);
    assert.match(told[1] ?? "", /^Trying again: .*told to be away$/);
    assert.match(told.at(-1) ?? "", /is not exposed any more$/);
    await isBack();
  });
});
