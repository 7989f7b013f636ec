import assert from "node:assert/strict";
import { test } from "node:test";
import { cart, ExposeLab, exampleRecord, finished, keptLines, sessions } from "../../test/support/expose-lab.ts";
import { held } from "../../test/support/exposed-cart.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { serviceKey } from "../model/service-key.ts";
import { Journal } from "./journal.ts";
import { makeOwnersRoom, makeRoom } from "./make-room.ts";
import type { RecordedOwner, SessionRecord } from "./records.ts";
import { takeLease } from "./session-lease.ts";

const server = "https://example.com:6443";
const leases = "leases.coordination.k8s.io";
const admin = serviceKey("shop", "admin");
const durationMs = 5_000;

/** What is asked of "shop/cart", moving the clock on; whoever holds another Lease gives signs of life if he `lives`. */
async function room(
  lab: ExposeLab,
  {
    takeOver = true,
    dryRun = false,
    lives = "",
    mates = [] as readonly string[],
    owners = undefined as readonly RecordedOwner[] | undefined,
    journalled = undefined as SessionRecord | undefined,
    isElsewhere = false,
  } = {},
) {
  using folder = temporaryFolder();
  const witness = { self: {}, isRunning: async () => false, isElsewhere: async () => isElsewhere };
  const journal = new Journal(folder.path, witness);
  if (journalled !== undefined) await journal.write(server, journalled);
  const { report, lines } = keptLines();
  const components = { ...lab.components, journal };
  const options = { server, holder: "carol@desk", takeOver, signal: new AbortController().signal, report };
  const plan = { key: cart, owners: (owners ?? []).map((owner) => ({ ...owner, adopts: false })) };
  const work: Promise<unknown> =
    owners === undefined
      ? makeRoom(components, cart, { ...options, dryRun })
      : makeOwnersRoom(components, plan, { ...options, mates });
  using _life = lab.clock.after(1_000, () => {
    if (lives !== "") lab.patch(leases, lives, { spec: { renewTime: String(lab.clock.now()) } });
  });
  const given = await finished(lab.clock, work);
  return { given, told: lines.map(({ level, message }) => `${level}: ${message}`) };
}

/** A session of bob's that exposes "shop/admin" and has set the owner of "shop/cart" to 0. */
async function bobs(lab: ExposeLab, parts: Partial<SessionRecord> = {}) {
  const owner = lab.deployment("cart", 0, held(sessions.bob));
  const owners = [{ ...owner, replicas: 3 }];
  const record = exampleRecord({ session: sessions.bob, key: admin, holder: "bob@desk", owners, ...parts });
  await takeLease(lab.components, record, { durationMs });
  lab.writes.length = 0;
  return owner;
}

test("makeRoom() has nothing to do where nobody holds the Service", async () => {
  await using lab = await ExposeLab.open();
  assert.deepEqual((await room(lab)).told, []);
  assert.deepEqual(lab.writes, []);
});

for (const dryRun of [true, false]) {
  test(`makeRoom() without --take-over${dryRun ? ", or in a dry run," : ""} refuses with the holder's name and touches nothing`, async () => {
    await using lab = await ExposeLab.open();
    const owner = lab.deployment("cart", 0, held(sessions.alice));
    await takeLease(lab.components, exampleRecord({ owners: [{ ...owner, replicas: 3 }] }), { durationMs });
    lab.writes.length = 0;
    await assert.rejects(room(lab, { takeOver: dryRun, dryRun }), {
      code: "conflict",
      message: dryRun
        ? /exposed by alice@laptop .*ago\)$/
        : /alice@laptop .*; if it is not there any more, --take-over ends it$/,
    });
    assert.deepEqual(lab.writes, []);
  });
}

test("makeOwnersRoom() ends a silent session of another Service that holds the owner, and says that numbers have changed", async () => {
  await using lab = await ExposeLab.open();
  const owner = await bobs(lab);
  const { given, told } = await room(lab, { owners: [owner] });
  assert.equal(given, true);
  assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
  assert.deepEqual(lab.names(leases), []);
  assert.deepEqual(told, [
    "info: Waiting up to 5 s for a sign of life of bob@desk",
    "warn: Taking over from bob@desk, who gives no sign of life",
    'info: Deployment "shop/cart" is set to 3 again',
  ]);
});

test("makeOwnersRoom() ends a silent session whose Lease has lost its labels", async () => {
  await using lab = await ExposeLab.open();
  const owner = await bobs(lab);
  lab.patch(leases, "localizer-admin", { metadata: { labels: null } as object });
  assert.equal((await room(lab, { owners: [owner] })).given, true);
  assert.deepEqual([lab.owner(owner).replicas, lab.names(leases)], [3, []]);
});

test("makeOwnersRoom() refuses where that session lives, names who exposes what, and touches nothing", async () => {
  await using lab = await ExposeLab.open();
  const owner = await bobs(lab);
  await assert.rejects(room(lab, { owners: [owner], lives: "localizer-admin" }), {
    code: "conflict",
    message: 'Cannot expose "shop/cart": Deployment "shop/cart" is held by bob@desk, who exposes "shop/admin"',
  });
  assert.deepEqual(lab.writes, []);
});

test("makeOwnersRoom() ends a session once that holds two owners, also when its record cannot be read", async () => {
  await using lab = await ExposeLab.open();
  const owner = await bobs(lab);
  const second = lab.deployment("second", 0, held(sessions.bob));
  lab.patch(leases, "localizer-admin", { metadata: { annotations: { "localizer.dev/record": "?" } } });
  const { given, told } = await room(lab, { owners: [owner, second] });
  assert.equal(given, true);
  assert.deepEqual([lab.owner(owner).replicas, lab.owner(second).replicas, lab.names(leases)], [3, 3, []]);
  assert.equal(told.filter((line) => line.startsWith("warn: Taking over")).length, 1);
});

test("makeOwnersRoom() leaves alone what is of this daemon, has no Lease, or is not to be taken over", async () => {
  await using lab = await ExposeLab.open();
  const owner = await bobs(lab);
  const stale = lab.deployment("stale", 0, held(sessions.carol));
  assert.equal((await room(lab, { owners: [owner], mates: [sessions.bob] })).given, false);
  assert.equal((await room(lab, { owners: [owner], takeOver: false })).given, false);
  assert.equal((await room(lab, { owners: [stale] })).given, false);
  assert.deepEqual(lab.writes, []);
});

for (const isElsewhere of [false, true]) {
  const what = isElsewhere ? "refuses while another machine's session has it, though" : "puts back what has it when";
  test(`makeRoom() ${what} the journal in this home folder tells of it`, async () => {
    await using lab = await ExposeLab.open();
    const owner = lab.deployment("cart", 0, held(sessions.alice));
    const journalled = exampleRecord({ owners: [{ ...owner, replicas: 3 }] });
    await takeLease(lab.components, journalled, { durationMs });
    const made = room(lab, { takeOver: false, journalled, isElsewhere });
    if (isElsewhere) await assert.rejects(made, { code: "conflict", message: /exposed by alice@laptop/ });
    else await made;
    assert.equal(lab.owner(owner).replicas, isElsewhere ? 0 : 3);
  });
}
