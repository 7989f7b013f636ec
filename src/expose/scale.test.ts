import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { calling, ExposeLab, finished, sessions } from "../../test/support/expose-lab.ts";
import { codeOf, type LocalizerError } from "../errors.ts";
import { annotations, type RecordedOwner } from "./records.ts";
import { scaleBack, scaleDown } from "./scale.ts";

const alice = { session: sessions.alice, holder: "alice@laptop" };

/** Annotations as these sessions leave them. */
function held(replicas: number | string, ...names: readonly string[]) {
  return {
    [annotations.session]: names.join(","),
    [annotations.replicas]: String(replicas),
    [annotations.holder]: alice.holder,
  };
}

/** There is a Lease that names the session. */
function alive(lab: ExposeLab, ...names: readonly string[]): void {
  for (const name of names) {
    lab.add("leases.coordination.k8s.io", `localizer-${name}`, { spec: { holderIdentity: `bob@desk/${name}` } });
  }
}

/** Both ways to scale, each with how an owner of it is made. */
const ways: readonly (readonly [name: string, make: (lab: ExposeLab) => ExposeLab["deployment"]])[] = [
  ["by spec", (lab) => lab.deployment.bind(lab)],
  ["by /scale", (lab) => lab.widget.bind(lab)],
];

/** Somebody writes the owner while it is being scaled: before the first write of ours comes through. */
function interfering(plural: string, change: (lab: ExposeLab) => void, times = 1) {
  const found: { lab?: ExposeLab } = {};
  let left = times;
  return ExposeLab.open({
    onRequest({ method, path }) {
      if (found.lab === undefined || left === 0 || method === "GET" || !path.includes(`/${plural}/`)) return;
      left--;
      change(found.lab);
    },
  }).then((lab) => {
    found.lab = lab;
    return lab;
  });
}

function bump(owner: Pick<RecordedOwner, "plural" | "group" | "name">) {
  return (lab: ExposeLab) => {
    const status = { observed: Math.random() };
    lab.patch(`${owner.plural}.${owner.group}`, owner.name, { status });
  };
}

for (const [way, make] of ways) {
  const plural = way === "by spec" ? "deployments" : "widgets";
  const group = way === "by spec" ? "apps" : "example.com";
  const ref = { group, plural, name: "cart" };

  describe(way, () => {
    test("scaleDown() sets the owner to 0, and notes session, number and holder", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 3);
      assert.equal(await scaleDown(lab.components, owner, alice), 3);
      assert.deepEqual(lab.owner(owner), { replicas: 0, annotations: held(3, sessions.alice) });
    });

    test("scaleDown() may be asked again: the number stays what it was before the first time", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 3);
      await scaleDown(lab.components, owner, alice);
      assert.equal(await scaleDown(lab.components, owner, alice), 3);
      assert.deepEqual(lab.owner(owner), { replicas: 0, annotations: held(3, sessions.alice) });
    });

    test("scaleDown() goes on after a first time that only came to write its note", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 3, held(3, sessions.alice));
      assert.equal(await scaleDown(lab.components, owner, alice), 3);
      assert.deepEqual(lab.owner(owner), { replicas: 0, annotations: held(3, sessions.alice) });
    });

    test("scaleDown() takes what is set now, not what the plan says", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 5);
      assert.equal(await scaleDown(lab.components, { ...owner, replicas: 3 }, alice), 5);
    });

    test("scaleDown() joins a session of the same process, and keeps its number", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, held(3, sessions.bob));
      assert.equal(await scaleDown(lab.components, owner, { ...alice, mates: [sessions.bob] }), 3);
      assert.deepEqual(lab.owner(owner), { replicas: 0, annotations: held(3, sessions.bob, sessions.alice) });
    });

    test("scaleDown() refuses an owner of somebody else's session, and says whose", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, {
        ...held(3, sessions.bob, sessions.carol),
        [annotations.holder]: "carol@desk",
      });
      alive(lab, sessions.carol);
      const before = lab.owner(owner);
      await assert.rejects(scaleDown(lab.components, owner, { ...alice, mates: [sessions.bob] }), {
        code: "conflict",
        message: `Cannot scale ${owner.kind} "shop/cart" to 0: it is held by a session of carol@desk; if that is forgotten, \`localizer restore --namespace shop\` ends it`,
      });
      assert.deepEqual(lab.owner(owner), before);
      assert.deepEqual(lab.writes, []);
    });

    test("scaleDown() writes nothing on a dry run, and has the server check all of it", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 3);
      assert.equal(await scaleDown(lab.components, owner, alice, { dryRun: true }), 3);
      assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
      const scale = way === "by spec" ? [] : [`PUT ${plural}/cart/scale?`];
      assert.deepEqual(lab.writes, [`PATCH ${plural}/cart?`, ...scale]);
    });

    test("scaleDown() fails a dry run with the server's refusal", async () => {
      await using lab = await ExposeLab.open({
        allows: ({ verb, subresource }) => verb === "get" || (way === "by /scale" && subresource !== "scale"),
      });
      const owner = make(lab)("cart", 3);
      await assert.rejects(scaleDown(lab.components, owner, alice, { dryRun: true }), { code: "denied" });
    });

    test("scaleDown() refuses an owner that was deleted, or made anew", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 3);
      lab.remove(`${plural}.${group}`, "cart");
      const refusal = {
        code: "conflict",
        message: `Cannot scale ${owner.kind} "shop/cart" to 0: it was deleted, or made anew, in the meantime`,
      };
      await assert.rejects(scaleDown(lab.components, owner, alice), refusal);
      const other = make(lab)("cart", 7);
      await assert.rejects(scaleDown(lab.components, owner, alice), refusal);
      assert.deepEqual(lab.owner(other), { replicas: 7, annotations: {} });
    });

    test("scaleDown() looks again when somebody writes in between, and takes the newer number", async () => {
      await using lab = await interfering(plural, (it) =>
        it.patch(`${plural}.${group}`, "cart", { spec: { replicas: 4 } }),
      );
      const owner = make(lab)("cart", 3);
      assert.equal(await finished(lab.clock, scaleDown(lab.components, owner, alice)), 4);
      assert.deepEqual(lab.owner(owner), { replicas: 0, annotations: held(4, sessions.alice) });
    });

    test("scaleDown() gives up on an owner that changes all the time, and says why", async () => {
      await using lab = await interfering(plural, bump(ref), Number.POSITIVE_INFINITY);
      const owner = make(lab)("cart", 3);
      await assert.rejects(finished(lab.clock, scaleDown(lab.components, owner, alice)), (error: LocalizerError) => {
        assert.equal(error.code, "conflict");
        assert.match(error.message, /^Cannot scale .* "shop\/cart" to 0: .*the object has been modified/);
        return true;
      });
      assert.equal(lab.writes.length, 8);
      assert.equal(lab.owner(owner).replicas, 3);
    });

    test("scaleDown() ends with its signal while it waits for another try", async () => {
      await using lab = await interfering(plural, bump(ref), Number.POSITIVE_INFINITY);
      const owner = make(lab)("cart", 3);
      const stop = new AbortController();
      const work = scaleDown(lab.components, owner, alice, { signal: stop.signal });
      assert.equal(await lab.clock.asleep(), 50);
      stop.abort();
      await assert.rejects(work, (error) => codeOf(error) === "aborted");
      assert.equal(lab.clock.pending, 0);
    });

    test("scaleBack() sets the owner to what it was, and takes its notes off", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 3);
      await scaleDown(lab.components, owner, alice);
      const back = await scaleBack(lab.components, owner, sessions.alice);
      assert.deepEqual(back, { kind: "restored", replicas: 3 });
      assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
    });

    test("scaleBack() changes nothing the second time", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, held(3, sessions.alice));
      await scaleBack(lab.components, owner, sessions.alice);
      const again = await scaleBack(lab.components, owner, sessions.alice, { fallback: 3 });
      assert.deepEqual(again, { kind: "untouched", replicas: 3 });
      assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
    });

    test("scaleBack() believes the annotation more than the fallback", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, held(3, sessions.alice));
      const back = await scaleBack(lab.components, owner, sessions.alice, { fallback: 9 });
      assert.deepEqual(back, { kind: "restored", replicas: 3 });
    });

    test("scaleBack() takes the fallback for an owner at 0 without annotations, or with a number that is none", async () => {
      for (const notes of [{}, held("many", sessions.alice)]) {
        await using lab = await ExposeLab.open();
        const owner = make(lab)("cart", 0, notes);
        const back = await scaleBack(lab.components, owner, sessions.alice, { fallback: 2 });
        assert.deepEqual(back, { kind: "restored", replicas: 2 });
        assert.deepEqual(lab.owner(owner), { replicas: 2, annotations: {} });
      }
    });

    test("scaleBack() leaves an owner at 0 that nothing is known of", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0);
      assert.deepEqual(await scaleBack(lab.components, owner, sessions.alice), { kind: "untouched", replicas: 0 });
      assert.deepEqual(lab.writes, []);
    });

    test("scaleBack() leaves the number that somebody has set meanwhile, and takes its notes off", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 5, held(3, sessions.alice));
      const back = await scaleBack(lab.components, owner, sessions.alice, { fallback: 3 });
      assert.deepEqual(back, { kind: "left", replicas: 5 });
      assert.deepEqual(lab.owner(owner), { replicas: 5, annotations: {} });
    });

    test("scaleBack() leaves 0 to the other sessions of the owner, and the last of them sets it back", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, held(3, sessions.bob, sessions.alice));
      alive(lab, sessions.bob);
      const first = await scaleBack(lab.components, owner, sessions.alice, { fallback: 3 });
      assert.deepEqual(first, { kind: "shared", holder: "", before: 3 });
      assert.deepEqual(lab.owner(owner), { replicas: 0, annotations: held(3, sessions.bob) });
      const last = await scaleBack(lab.components, owner, sessions.bob);
      assert.deepEqual(last, { kind: "restored", replicas: 3 });
    });

    test("scaleBack() does not touch an owner of another living session, whatever its fallback, and says whose", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, { ...held(3, sessions.bob), [annotations.holder]: "bob@desk" });
      alive(lab, sessions.bob);
      const back = await scaleBack(lab.components, owner, sessions.alice, { fallback: 9 });
      assert.deepEqual(back, { kind: "shared", holder: "bob@desk", before: 3 });
      assert.deepEqual(lab.writes, []);
    });

    test("scaleBack() finds an owner gone that was deleted, or made anew", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, held(3, sessions.alice));
      lab.remove(`${plural}.${group}`, "cart");
      assert.deepEqual(await scaleBack(lab.components, owner, sessions.alice), { kind: "gone" });
      make(lab)("cart", 0);
      const back = await scaleBack(lab.components, owner, sessions.alice, { fallback: 3 });
      assert.deepEqual(back, { kind: "gone" });
      assert.deepEqual(lab.writes, []);
    });

    test("scaleBack() looks again when somebody writes in between, and leaves what he has set", async () => {
      await using lab = await interfering(plural, (it) =>
        it.patch(`${plural}.${group}`, "cart", { spec: { replicas: 4 } }),
      );
      const owner = make(lab)("cart", 0, held(3, sessions.alice));
      const back = await finished(lab.clock, scaleBack(lab.components, owner, sessions.alice));
      assert.deepEqual(back, { kind: "left", replicas: 4 });
      assert.deepEqual(lab.owner(owner), { replicas: 4, annotations: {} });
    });

    test("scaleBack() says what the API says no to", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 0, held(3, sessions.alice));
      lab.fail((call) => call?.verb === "patch" || call?.verb === "update", { kind: "forbidden" });
      await assert.rejects(scaleBack(lab.components, owner, sessions.alice), { code: "denied" });
    });
  });
}

test("scaleBack() by /scale goes on after a first time that only came to set the number", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.widget("cart", 0, held(3, sessions.alice));
  lab.fail(calling("patch", "widgets"), { kind: "failure", code: 500 });
  await assert.rejects(scaleBack(lab.components, owner, sessions.alice), { code: "unavailable" });
  assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: held(3, sessions.alice) });
  await scaleBack(lab.components, owner, sessions.alice);
  assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
});

test("scaleDown() by spec is one write, so that number and note are never apart", async () => {
  await using lab = await ExposeLab.open();
  await scaleDown(lab.components, lab.deployment("cart", 3), alice);
  assert.deepEqual(lab.writes, ["PATCH deployments/cart"]);
});

test("scaleDown() counts a Deployment that says no number as one", async () => {
  await using lab = await ExposeLab.open();
  const { metadata } = lab.add("deployments.apps", "cart", { spec: {} });
  const owner = { ...lab.deployment("other", 3), name: "cart", uid: metadata.uid };
  assert.equal(await scaleDown(lab.components, owner, alice), 1);
});
