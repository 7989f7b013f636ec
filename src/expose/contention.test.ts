import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { calling, sessions } from "../../test/support/expose-lab.ts";
import { KeeperLab } from "../../test/support/keeper-lab.ts";
import { numberAt } from "../kube/json.ts";
import { Contention } from "./contention.ts";
import { annotations } from "./records.ts";
import { leaseRef, seeLease } from "./session-lease.ts";

const deployments = "deployments.apps";
const again = (count: number) => `Deployment "shop/cart" was set to ${count} by "argocd"; setting it to 0 again`;
const leftAlone = 'Deployment "shop/cart" was set to 2 by "argocd"; set to 0 again 3 times, now left alone';

function rise(keeper: KeeperLab, replicas = 2, manager: string | undefined = "argocd") {
  keeper.lab.patch(deployments, "cart", { spec: { replicas } }, manager);
}

function replicasOf(keeper: KeeperLab): number | undefined {
  return numberAt(keeper.lab.find(deployments, "cart"), "spec", "replicas");
}

/** Owners, without a keeper. */
async function contended(keeper: KeeperLab) {
  const contention = new Contention(keeper.components, keeper.settings, keeper.holdings);
  await keeper.until(() => keeper.lab.server.watches === 2);
  const { signal } = new AbortController();
  return {
    contention,
    settle: () => contention.settle(signal, keeper.lines.report),
    [Symbol.asyncDispose]: () => contention[Symbol.asyncDispose](),
  };
}

/** Somebody scales up again and again, each time when the last pause is over, and is set to 0. */
async function overruled(
  keeper: KeeperLab,
  { settle }: Awaited<ReturnType<typeof contended>>,
  pausesMs: readonly number[] = [1_000, 4_000, 16_000],
) {
  for (const pauseMs of pausesMs) {
    rise(keeper);
    await settle();
    await keeper.lab.clock.advance(pauseMs);
  }
}

test("Contention finds nothing mixed while the Service leads to the session's pod alone", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  assert.deepEqual([c.contention.isMixed, c.contention.restMs], [false, Number.POSITIVE_INFINITY]);
  assert.equal(await c.settle(), undefined);
  assert.deepEqual([keeper.lab.writes, keeper.warnings], [[], []]);
});

test("Contention tells when other pods come, and counts only those that are ready", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  let changes = 0;
  c.contention.onChange(() => changes++);
  keeper.podsRun = false;
  rise(keeper);
  await keeper.until(() => changes > 0);
  assert.equal(c.contention.isMixed, false);
  keeper.podsRun = true;
  keeper.lab.patch("services", "cart", { metadata: { labels: { touched: "yes" } } });
  await keeper.until(() => c.contention.isMixed);
});

test("Contention.settle() sets a risen owner to 0 again, says who it was, and keeps the number of old", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  rise(keeper);
  assert.equal(await c.settle(), undefined);
  assert.equal(replicasOf(keeper), 0);
  assert.deepEqual(keeper.warnings, [again(2)]);
  assert.equal(keeper.lab.find(deployments, "cart")?.metadata.uid, keeper.holdings.record.owners[0]?.uid);
  assert.deepEqual(
    keeper.holdings.record.owners.map(({ replicas }) => replicas),
    [3],
  );
});

test("Contention.settle() waits ever longer between its tries, and leaves the owner alone after three", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  for (const waitMs of [1_000, 4_000, 16_000]) {
    rise(keeper);
    assert.equal(await c.settle(), undefined);
    assert.equal(replicasOf(keeper), 0);
    assert.equal(c.contention.restMs, waitMs);
    rise(keeper);
    assert.equal(await c.settle(), undefined);
    assert.equal(replicasOf(keeper), 2, "before its time nothing is done");
    await keeper.lab.clock.advance(waitMs);
  }
  const writes = () => keeper.lab.writes.filter((write) => !write.includes(" leases/")).length;
  const before = writes();
  assert.equal(await c.settle(), leftAlone);
  assert.equal(await c.settle(), leftAlone);
  assert.equal(c.contention.restMs, Number.POSITIVE_INFINITY);
  assert.equal(writes(), before);
  assert.equal(keeper.warnings.length, 3);
});

test("Contention.settle() is well again when the owner is back at 0", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  await overruled(keeper, c);
  rise(keeper);
  assert.equal(await c.settle(), leftAlone);
  rise(keeper, 0);
  assert.equal(await c.settle(), undefined);
});

test("Contention.settle() counts from the beginning after ten minutes", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  await overruled(keeper, c, [1_000, 4_000, 600_001]);
  rise(keeper);
  assert.equal(await c.settle(), undefined);
  assert.equal(replicasOf(keeper), 0);
  assert.equal(c.contention.restMs, 1_000);
});

test("Contention.settle() takes an owner that was made anew for the old one, records it, and sets it to 0", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  keeper.lab.remove(deployments, "cart");
  const anew = keeper.lab.deployment("cart", 5);
  keeper.owners = [{ ...anew, adopts: false }];
  assert.equal(await c.settle(), undefined);
  assert.equal(replicasOf(keeper), 0);
  assert.deepEqual(keeper.holdings.record.owners, [anew]);
  const lease = await seeLease(keeper.lab.objects, leaseRef(keeper.holdings.record.key));
  assert.deepEqual(lease?.record?.owners, [anew]);
  const [entry] = await keeper.components.journal.dead(keeper.settings.server, () => {});
  assert.deepEqual(entry?.record.owners, [anew]);
  assert.deepEqual(keeper.lab.owner(anew).annotations, {
    [annotations.session]: sessions.alice,
    [annotations.replicas]: "5",
    [annotations.holder]: "alice@laptop",
  });
});

test("Contention.settle() records an owner that was made anew before it changes it", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  keeper.lab.remove(deployments, "cart");
  keeper.owners = [{ ...keeper.lab.deployment("cart", 5), adopts: false }];
  assert.equal(await c.settle(), undefined);
  const [lease, cart] = ["PATCH leases/localizer-cart", "PATCH deployments/cart"];
  // The record; who holds the Lease; the owner; the record.
  assert.deepEqual(keeper.lab.writes, [`${cart}?`, lease, lease, cart, lease]);
});

test("Contention.settle() leaves alone, and names, who is refused to it; it asks again later", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  const before = keeper.holdings.record;
  keeper.owners = [{ ...keeper.lab.deployment("canary", 2), adopts: false }];
  keeper.lab.fail(calling("patch", "deployments"), { kind: "forbidden" });
  const reason = await c.settle();
  assert.match(reason ?? "", /^Deployment "shop\/canary" answers beside the local process: .*forbidden/);
  assert.equal(await c.settle(), reason);
  assert.deepEqual([keeper.holdings.record, keeper.lab.writes], [before, ["PATCH deployments/canary?"]]);
  await keeper.lab.clock.advance(2_000);
  assert.equal(await c.settle(), undefined);
  assert.equal(numberAt(keeper.lab.find(deployments, "canary"), "spec", "replicas"), 0);
});

test("Contention.settle() takes another workload that has come to stand behind the Service, and keeps the first", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  const canary = keeper.lab.deployment("canary", 2);
  keeper.owners = [{ ...canary, adopts: false }];
  assert.equal(await c.settle(), undefined);
  assert.deepEqual(
    keeper.holdings.record.owners.map(({ name, replicas }) => [name, replicas]),
    [
      ["cart", 3],
      ["canary", 2],
    ],
  );
  assert.equal(keeper.lab.owner(canary).annotations[annotations.replicas], "2");
  assert.deepEqual(keeper.warnings, ['Deployment "shop/canary" has come to stand behind the Service; setting it to 0']);
});

for (const [risk, consent, what, flag] of [
  ["losesVolumes", "allowsVolumeLoss", "deletes its volumes and what is on them (whenScaled: Delete)", "volume-loss"],
  ["partlyServed", "allowsPartial", "takes pods away that the Service does not lead to", "partial"],
] as const) {
  test(`Contention.settle(): an owner made anew that ${risk} is scaled down only where that is allowed`, async () => {
    for (const isAllowed of [false, true]) {
      await using keeper = await KeeperLab.open({ replicas: 3 });
      await using c = await contended(keeper);
      keeper.holdings.plan = { ...keeper.holdings.plan, [consent]: isAllowed };
      keeper.lab.remove(deployments, "cart");
      keeper.owners = [{ ...keeper.lab.deployment("cart", 5), adopts: false, [risk]: true }];
      const sentence = `Deployment "shop/cart" answers beside the local process: scaling Deployment "cart" to 0 ${what}; give back, and expose again with --allow-${flag}`;
      assert.equal(await c.settle(), isAllowed ? undefined : sentence);
      assert.equal(replicasOf(keeper), isAllowed ? 0 : 5);
    }
  });
}

test("Contention.settle() names who cannot be scaled at all", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  keeper.closed = ['DaemonSet "cart", which cannot be scaled to 0'];
  const sentence = 'pods of DaemonSet "cart", which cannot be scaled to 0, answer beside the local process';
  assert.equal(await c.settle(), sentence);
  assert.deepEqual(keeper.lab.writes, []);
});

test("Contention.settle() does not begin anew while the owner stays where it was set to", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  await overruled(keeper, c);
  rise(keeper);
  assert.equal(await c.settle(), leftAlone);
  for (let minute = 0; minute < 30; minute++) {
    await keeper.lab.clock.advance(60_000);
    if (minute % 2 === 0) assert.equal(await c.settle(), leftAlone);
    else await c.contention.rest(new AbortController().signal);
  }
  assert.equal(replicasOf(keeper), 2);
});

test("Contention.restMs is 0 when a pause has run out that somebody was put off with", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  rise(keeper);
  await c.settle();
  rise(keeper);
  await c.settle();
  await keeper.lab.clock.advance(1_001);
  assert.equal(c.contention.restMs, 0);
  await c.contention.rest(new AbortController().signal);
  assert.equal(c.contention.restMs, Number.POSITIVE_INFINITY);
});

test("keepSession() sets a workload to 0 that comes to stand behind the Service", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await keeper.kept();
  keeper.owners = [{ ...keeper.lab.deployment("canary", 2), adopts: false }];
  await keeper.until(() => keeper.warnings.length > 0 && keeper.lab.names("pods").length === 1);
  await keeper.state("exposed");
});

test("Contention.settle() is well when an owner is gone for good", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  keeper.lab.remove(deployments, "cart");
  assert.equal(await c.settle(), undefined);
  assert.equal(keeper.holdings.record.owners.length, 1);
});

test("Contention.settle() fails as the API says no", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  await using c = await contended(keeper);
  rise(keeper);
  keeper.lab.fail(calling("patch", "deployments"), { kind: "forbidden" });
  await assert.rejects(c.settle(), { code: "denied" });
});

test("keepSession() gives in to one who always sets the owner up again, says so, and is well when he stops", async () => {
  await using keeper = await KeeperLab.open({ replicas: 3 });
  const { clock } = keeper.lab;
  const { end } = await keeper.kept();
  for (const [index, waitMs] of [0, 1_000, 4_000].entries()) {
    await clock.advance(waitMs);
    rise(keeper);
    // Its pods are gone again, too.
    await keeper.until(() => keeper.warnings.length === index + 1 && keeper.lab.names("pods").length === 1);
  }
  rise(keeper);
  await turns(50);
  assert.equal(replicasOf(keeper), 2);
  await clock.advance(16_000);
  await keeper.state(`contended: ${leftAlone}`);
  assert.equal(replicasOf(keeper), 2);
  rise(keeper, 0);
  await keeper.state("exposed");
  keeper.stop();
  assert.equal(await end, "stopped");
});
