import assert from "node:assert/strict";
import { test } from "node:test";
import { calling, ExposeLab, exampleRecord, finished, keptLines, sessions } from "../../test/support/expose-lab.ts";
import { lateLeaseEnd } from "../../test/support/late-lease-end.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { codeOf } from "../errors.ts";
import { Journal } from "./journal.ts";
import { endRecorded, type RecordedOptions } from "./recorded-sessions.ts";
import { annotations } from "./records.ts";
import { claimLease, takeLease } from "./session-lease.ts";

const leases = "leases.coordination.k8s.io";
const name = "localizer-cart";
const server = "https://sandbox";
const { signal } = new AbortController();
const bob = { id: "b0b", holder: "bob@desk" };

/** A session that has scaled "web" from 3, and whose daemon is dead. */
async function left(lab: ExposeLab, folder: string) {
  const owner = lab.deployment("web", 0, { [annotations.session]: sessions.alice, [annotations.replicas]: "3" });
  const record = exampleRecord({ owners: [{ ...owner, replicas: 3 }] });
  const journal = new Journal(folder, { self: {}, isRunning: async () => false });
  await journal.write(server, record);
  const lease = await takeLease(lab.components, record, { durationMs: 60_000 });
  lab.writes.length = 0;
  const { report, lines } = keptLines();
  const options = { holder: record.holder, signal, report, limitMs: 60_000 };
  return {
    owner,
    lease,
    warnings: () => lines.filter(({ level }) => level === "warn").map(({ message }) => message),
    end: ({
      components = lab.components,
      ...more
    }: Partial<RecordedOptions> & Partial<Pick<ExposeLab, "components">> = {}) =>
      endRecorded({ ...components, journal }, record, { ...options, ...more }),
    journalled: async () => (await journal.dead(server, () => {})).length,
  };
}

test("endRecorded() claims the Lease, puts back without a wait, and forgets", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { owner, end, journalled } = await left(lab, folder.path);
  const began = lab.clock.monotonic();
  await end();
  assert.equal(lab.writes[0], `PATCH leases/${name}`);
  assert.deepEqual([lab.owner(owner).replicas, lab.names(leases), await journalled()], [3, [], 0]);
  assert.equal(lab.clock.monotonic(), began);
});

test("endRecorded() does not take its own end of the Lease for somebody else's when the answer to it takes a minute", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { end, journalled } = await left(lab, folder.path);
  assert.equal(await finished(lab.clock, end({ components: lateLeaseEnd(lab), limitMs: 120_000 })), true);
  assert.equal(await journalled(), 0);
});

test("endRecorded() while the session is being put back in this process waits for that, and does nothing itself", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { owner, end, journalled } = await left(lab, folder.path);
  assert.deepEqual(await finished(lab.clock, Promise.all([end(), end()])), [true, true]);
  assert.deepEqual([lab.owner(owner).replicas, lab.names(leases), await journalled()], [3, [], 0]);
  assert.deepEqual(lab.writes, [`PATCH leases/${name}`, "PATCH deployments/web", `DELETE leases/${name}`]);
});

test("endRecorded() does itself what another one in this process could not, and stops waiting for that with its signal", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { owner, end } = await left(lab, folder.path);
  lab.fail(calling("patch", "deployments"), { kind: "forbidden" });
  const stop = new AbortController();
  const [first, second, third] = [end(), end(), end({ signal: stop.signal })];
  stop.abort();
  await assert.rejects(third, { code: "aborted" });
  await assert.rejects(finished(lab.clock, first), { code: "denied" });
  assert.equal(await finished(lab.clock, second), true);
  assert.equal(lab.owner(owner).replicas, 3);
});

test("endRecorded() goes on without a wait where an earlier start of this machine was killed", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { lease, owner, end } = await left(lab, folder.path);
  await claimLease(lab.components, lease, { by: { id: "journal", holder: "alice@laptop" } });
  const began = lab.clock.monotonic();
  await end();
  assert.deepEqual([lab.owner(owner).replicas, lab.clock.monotonic()], [3, began]);
});

test("endRecorded() leaves it to somebody else who puts it back, and keeps the journal", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { lease, owner, end, journalled } = await left(lab, folder.path);
  await claimLease(lab.components, lease, { by: bob });
  const ended = end();
  await lab.clock.asleep();
  lab.patch(leases, name, { spec: { renewTime: "2026-01-31T10:02:00.000000Z" } });
  await assert.rejects(finished(lab.clock, ended), {
    code: "conflict",
    message: 'Cannot put back "shop/cart": bob@desk is doing so',
  });
  assert.deepEqual([lab.owner(owner).replicas, await journalled()], [0, 1]);
});

test("endRecorded() goes on after somebody else who has fallen silent", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { lease, owner, end, journalled } = await left(lab, folder.path);
  await claimLease(lab.components, lease, { by: bob });
  await finished(lab.clock, end());
  assert.deepEqual([lab.owner(owner).replicas, lab.names(leases), await journalled()], [3, [], 0]);
});

test("endRecorded() leaves a session alone that lives on another machine with this home folder, and its journal", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { owner, end, journalled } = await left(lab, folder.path);
  const ended = end({ isElsewhere: true });
  await lab.clock.asleep();
  assert.deepEqual(lab.writes, []);
  lab.patch(leases, name, { spec: { renewTime: "2026-01-31T10:02:00.000000Z" } });
  assert.equal(await finished(lab.clock, ended), false);
  assert.deepEqual([lab.owner(owner).replicas, await journalled(), lab.writes], [0, 1, []]);
});

test("endRecorded() ends a session of another machine once its Lease has been silent for its time, and not before", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { owner, end, journalled } = await left(lab, folder.path);
  const began = lab.clock.monotonic();
  assert.equal(await finished(lab.clock, end({ isElsewhere: true })), true);
  assert.deepEqual([lab.owner(owner).replicas, lab.names(leases), await journalled()], [3, [], 0]);
  assert.ok(lab.clock.monotonic() - began >= 60_000);
});

test("endRecorded() leaves a session of another machine alone that is about to make its Lease", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { owner, end, journalled } = await left(lab, folder.path);
  lab.remove(leases, name);
  const ended = end({ isElsewhere: true });
  await lab.clock.asleep();
  await takeLease(lab.components, exampleRecord(), { durationMs: 60_000 });
  assert.equal(await finished(lab.clock, ended), false);
  assert.deepEqual([lab.owner(owner).replicas, await journalled()], [0, 1]);
});

test("endRecorded() warns when nothing but the journal says that an owner is to rise from 0: somebody may have set it so since", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { owner, end, warnings } = await left(lab, folder.path);
  lab.remove(leases, name);
  lab.patch("deployments.apps", "web", {
    metadata: { annotations: { [annotations.session]: null, [annotations.replicas]: null } },
  });
  await finished(lab.clock, end());
  assert.equal(lab.owner(owner).replicas, 3);
  assert.deepEqual(warnings(), [
    'Deployment "shop/web" was at 0 as an exposure of "shop/cart", whose Lease is gone, has left it, or somebody has since; set it to 0 again if it was meant to be',
  ]);
});

test("endRecorded() warns of nothing when the Lease speaks for the session, or the owner is at 0 no more", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { owner, end, warnings } = await left(lab, folder.path);
  await finished(lab.clock, end());
  assert.deepEqual([lab.owner(owner).replicas, warnings()], [3, []]);
  await finished(lab.clock, end());
  assert.deepEqual(warnings(), []);
});

test("endRecorded() says that its time was up, and on what", async () => {
  await using lab = await ExposeLab.open();
  using folder = temporaryFolder();
  const { end, journalled } = await left(lab, folder.path);
  lab.fail(calling("patch", "deployments"), { kind: "failure", code: 503 }, 1_000);
  await assert.rejects(finished(lab.clock, end()), (error: Error) => {
    assert.equal(codeOf(error), "timeout");
    assert.match(
      error.message,
      /^Cannot put back "shop\/cart" in time: it took longer than 60 s; Cannot patch .*records are kept/,
    );
    return true;
  });
  assert.equal(await journalled(), 1);
});
