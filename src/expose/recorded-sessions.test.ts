import assert from "node:assert/strict";
import { test } from "node:test";
import { ExposeLab, exampleRecord, finished, keptLines, sessions } from "../../test/support/expose-lab.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { Journal } from "./journal.ts";
import { endRecorded } from "./recorded-sessions.ts";
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
  const options = { holder: record.holder, signal, report: keptLines().report, limitMs: 60_000 };
  return {
    owner,
    lease,
    end: () => endRecorded({ ...lab.components, journal }, record, options),
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
