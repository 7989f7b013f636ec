import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { calling, ExposeLab, exampleRecord, finished, sessions } from "../../test/support/expose-lab.ts";
import { annotations } from "./records.ts";
import { scaleBack, scaleDown } from "./scale.ts";
import { takeLease } from "./session-lease.ts";

const alice = { session: sessions.alice, holder: "alice@laptop" };

/** The mark of Bob's session, as a rollout undo brings it back; any part of it can be another. */
function mark(parts: Readonly<Record<string, string>> = {}) {
  return {
    [annotations.session]: sessions.bob,
    [annotations.replicas]: "2",
    [annotations.holder]: "bob@desk",
    ...parts,
  };
}

const ours = mark({ [annotations.session]: sessions.alice });
const withoutNumber = { [annotations.session]: sessions.alice };
const both = mark({ [annotations.session]: `${sessions.bob},${sessions.alice}` });

/** Bob's session lives. */
function bob(lab: ExposeLab) {
  return takeLease(lab.components, exampleRecord({ session: sessions.bob }), { durationMs: 60_000 });
}

const ways = [
  ["by spec", (lab: ExposeLab): ExposeLab["deployment"] => lab.deployment.bind(lab)],
  ["by /scale", (lab: ExposeLab): ExposeLab["deployment"] => lab.widget.bind(lab)],
] as const;

for (const [way, make] of ways) {
  describe(`${way}, a mark`, () => {
    for (const [what, present, recorded, expected] of [
      ["the present number counts", 5, 4, 5],
      ["at 0 the recorded number counts", 0, 4, 4],
      ["at 0 without a recorded number that of the mark counts", 0, 0, 2],
    ] as const) {
      test(`of a session that has ended is taken over by scaleDown(): ${what}`, async () => {
        await using lab = await ExposeLab.open();
        const owner = { ...make(lab)("cart", present, mark()), replicas: recorded };
        assert.equal(await scaleDown(lab.components, owner, alice), expected);
        const own = mark({
          [annotations.session]: sessions.alice,
          [annotations.replicas]: String(expected),
          [annotations.holder]: alice.holder,
        });
        assert.deepEqual(lab.owner(owner), { replicas: 0, annotations: own });
      });
    }

    test("stands in the way of scaleDown() where nobody may see whether its session lives", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 5, mark());
      lab.fail(calling("list", "leases"), { kind: "forbidden" });
      const message = `Cannot scale ${owner.kind} "shop/cart" to 0: it is held by a session of bob@desk; if that is forgotten, \`localizer restore --namespace shop\` ends it`;
      await assert.rejects(scaleDown(lab.components, owner, alice), { code: "conflict", message });
      assert.deepEqual(lab.owner(owner), { replicas: 5, annotations: mark() });
    });

    test("of a session that has ended does not keep an owner at 0 that was scaled down", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, mark());
      const back = await scaleBack(lab.components, owner, sessions.alice, { fallback: 3 });
      assert.deepEqual(back, { kind: "restored", replicas: 3 });
      assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
    });

    test("of a living session that would not set it back either makes scaleBack() fail, naming the holder", async () => {
      await using lab = await ExposeLab.open();
      for (const [name, number] of [
        ["cart", "0"],
        ["web", "many"],
      ] as const) {
        const owner = make(lab)(name, 0, mark({ [annotations.replicas]: number }));
        if (name === "cart") await bob(lab);
        const reason = "it is held by a session of bob@desk, which does not know its number";
        await assert.rejects(scaleBack(lab.components, owner, sessions.alice, { fallback: 3 }), {
          code: "conflict",
          message: `Cannot scale ${owner.kind} "shop/${name}" back to 3: ${reason}`,
        });
        assert.equal(lab.owner(owner).replicas, 0);
      }
    });

    test("of a session whose Lease has lost its labels is that of a living one", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, mark());
      const { ref } = await bob(lab);
      lab.patch("leases.coordination.k8s.io", ref.name, { metadata: { labels: null } as object });
      await assert.rejects(scaleDown(lab.components, owner, alice), { code: "conflict" });
    });

    test("that names an ended session besides does not keep the owner at 0", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, both);
      const back = await scaleBack(lab.components, owner, sessions.alice);
      assert.deepEqual(back, { kind: "restored", replicas: 2 });
      assert.deepEqual(lab.owner(owner), { replicas: 2, annotations: {} });
    });

    test("without its number is read with that of the record, whether all was scaled or not", async () => {
      for (const recorded of [{ fallback: 3 }, { planned: 3 }]) {
        await using lab = await ExposeLab.open();
        const owner = make(lab)("cart", 0, withoutNumber);
        const back = await scaleBack(lab.components, owner, sessions.alice, recorded);
        assert.deepEqual(back, { kind: "restored", replicas: 3 });
      }
    });

    test("without its number, of which no record knows, makes scaleBack() fail, and stays", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, withoutNumber);
      await assert.rejects(scaleBack(lab.components, owner, sessions.alice), {
        code: "conflict",
        message: /"localizer.dev\/original-replicas" does not say what it was set to/,
      });
      assert.deepEqual(lab.owner(owner), { replicas: 0, annotations: withoutNumber });
    });

    test("without its number of a session beside makes scaleDown() fail at 0, rather than note that", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, { [annotations.session]: sessions.bob });
      const before = lab.owner(owner);
      for (const dryRun of [true, false]) {
        await assert.rejects(scaleDown(lab.components, owner, { ...alice, mates: [sessions.bob] }, { dryRun }), {
          code: "conflict",
          message: `Cannot scale ${owner.kind} "shop/cart" to 0: another exposure holds it, and its annotation "localizer.dev/original-replicas", which says what it was set to, is gone; stop that one first`,
        });
      }
      assert.deepEqual([lab.owner(owner), lab.writes], [before, []]);
    });

    test("without its number of a session beside does not keep scaleDown() from what is to be seen or recorded", async () => {
      for (const [present, recorded] of [
        [3, 3],
        [0, 3],
      ] as const) {
        await using lab = await ExposeLab.open();
        const made = make(lab)("cart", present, { [annotations.session]: sessions.bob });
        const owner = { ...made, replicas: recorded };
        assert.equal(await scaleDown(lab.components, owner, { ...alice, mates: [sessions.bob] }), 3);
        assert.equal(lab.owner(owner).annotations[annotations.replicas], "3");
      }
    });

    test("without its number is given one when it stays for another session", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, { [annotations.session]: `${sessions.bob},${sessions.alice}` });
      await bob(lab);
      await scaleBack(lab.components, owner, sessions.alice, { fallback: 3 });
      assert.equal(lab.owner(owner).annotations[annotations.replicas], "3");
    });

    test("goes, and nobody has set anything, when the owner is at its number already", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 2, ours);
      const back = await scaleBack(lab.components, owner, sessions.alice);
      assert.deepEqual(back, { kind: "kept", replicas: 2 });
      assert.deepEqual(lab.owner(owner), { replicas: 2, annotations: {} });
    });
  });
}

test("scaleBack() by /scale takes a status update between its two writes for nobody's decision", async () => {
  const found: { lab?: ExposeLab } = {};
  await using lab = await ExposeLab.open({
    onRequest({ method, path }) {
      if (method !== "PATCH" || !path.endsWith("/widgets/cart")) return;
      found.lab?.patch("widgets.example.com", "cart", { status: { seen: 1 } });
      delete found.lab;
    },
  });
  const owner = lab.widget("cart", 0, ours);
  found.lab = lab;
  const back = await finished(lab.clock, scaleBack(lab.components, owner, sessions.alice));
  assert.deepEqual(back, { kind: "restored", replicas: 2 });
  assert.deepEqual(lab.owner(owner), { replicas: 2, annotations: {} });
});
