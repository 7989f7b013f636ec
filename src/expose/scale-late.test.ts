import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { calling, ExposeLab, finished, sessions } from "../../test/support/expose-lab.ts";
import { LocalizerError } from "../errors.ts";
import { Objects } from "../kube/objects.ts";
import { labels, type RecordedOwner } from "./records.ts";
import { type RecordedNumber, scaleBack, scaleDown } from "./scale.ts";

const alice = { session: sessions.alice, holder: "alice@laptop" };

const ways = [
  ["by spec", (lab: ExposeLab): ExposeLab["deployment"] => lab.deployment.bind(lab)],
  ["by /scale", (lab: ExposeLab): ExposeLab["deployment"] => lab.widget.bind(lab)],
] as const;

/** A scaleDown() whose write is on its way, so many writes after the first; gives what lets it arrive. */
async function sent(lab: ExposeLab, owner: RecordedOwner, after = 0): Promise<() => Promise<unknown>> {
  const client = lab.client();
  const found = Promise.withResolvers<() => Promise<unknown>>();
  let left = after;
  const objects = new Objects({
    request(request) {
      if (request.method === "GET" || left-- > 0) return client.request(request);
      found.resolve(() => client.request(request));
      return Promise.reject(new LocalizerError("aborted", "Stopped"));
    },
  });
  await assert.rejects(scaleDown({ ...lab.components, objects }, owner, alice), { code: "aborted" });
  return await found.promise;
}

for (const [way, make] of ways) {
  const kind = way === "by spec" ? "deployments" : "widgets";

  describe(way, () => {
    for (const [what, recorded] of [
      ["planned", { planned: 3 }],
      ["recorded as done", { fallback: 3 }],
    ] as const satisfies readonly (readonly [string, RecordedNumber])[]) {
      test(`scaleBack() sees to it that a write that was ${what} and is on its way does nothing any more`, async () => {
        await using lab = await ExposeLab.open();
        const owner = make(lab)("cart", 3);
        const arrive = await sent(lab, owner);
        const back = await scaleBack(lab.components, owner, sessions.alice, recorded);
        assert.deepEqual(back, { kind: "untouched", replicas: 3 });
        await assert.rejects(arrive(), { code: "conflict" });
        assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
        assert.deepEqual(lab.find(`${owner.plural}.${owner.group}`, "cart")?.metadata.labels ?? {}, {});
      });
    }

    test("scaleBack() finds what arrives while it makes sure, and takes it back", async () => {
      const found: { arrive?: () => Promise<unknown> } = {};
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 3);
      found.arrive = await sent(lab, owner);
      const client = lab.client();
      const objects = new Objects({
        async request(request) {
          const { arrive } = found;
          if (request.method === "PATCH" && arrive !== undefined) {
            delete found.arrive;
            await arrive();
          }
          return await client.request(request);
        },
      });
      const components = { ...lab.components, objects };
      await finished(lab.clock, scaleBack(components, owner, sessions.alice, { planned: 3 }));
      assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
    });

    test("scaleBack() that was cut short while it made sure leaves nothing when it is run again", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 3);
      const arrive = await sent(lab, owner);
      let left = 1;
      lab.fail((call) => call?.verb === "patch" && left-- <= 0, { kind: "forbidden" });
      await assert.rejects(scaleBack(lab.components, owner, sessions.alice, { planned: 3 }), { code: "denied" });
      const seen = () => lab.find(`${owner.plural}.${owner.group}`, "cart")?.metadata.labels ?? {};
      assert.deepEqual(seen(), { [labels.settling]: "true" });
      await scaleBack(lab.components, owner, sessions.alice, { planned: 3 });
      assert.deepEqual(seen(), {});
      await assert.rejects(arrive(), { code: "conflict" });
    });

    test("scaleBack() does not fail because an owner that was never scaled refuses writes", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 3);
      lab.fail(calling("patch", kind), { kind: "forbidden" });
      const back = await scaleBack(lab.components, owner, sessions.alice, { planned: 3 });
      assert.deepEqual(back, { kind: "untouched", replicas: 3 });
    });

    test("scaleDown() asks between look and write, each time, and changes nothing when the answer is no", async () => {
      await using lab = await ExposeLab.open();
      const owner = make(lab)("cart", 3);
      let asked = 0;
      const confirm = async () => {
        asked++;
        // What was seen is of the past now.
        if (asked === 1) lab.patch(`${owner.plural}.${owner.group}`, "cart", { status: { observed: 1 } });
        else throw new LocalizerError("conflict", "The exposure was taken over by bob@desk");
      };
      await assert.rejects(finished(lab.clock, scaleDown(lab.components, owner, alice, { confirm })), {
        code: "conflict",
        message: "The exposure was taken over by bob@desk",
      });
      assert.equal(asked, 2);
      assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
    });
  });
}

test("scaleBack() by /scale: a number that is on its way behind its note does nothing any more", async () => {
  await using lab = await ExposeLab.open();
  const owner = lab.widget("cart", 3);
  const arrive = await sent(lab, owner, 1);
  const back = await scaleBack(lab.components, owner, sessions.alice, { planned: 3 });
  assert.deepEqual(back, { kind: "kept", replicas: 3 });
  await assert.rejects(arrive(), { code: "conflict" });
  assert.deepEqual(lab.owner(owner), { replicas: 3, annotations: {} });
});
