import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { calling, ExposeLab, exampleRecord, finished, sessions } from "../../test/support/expose-lab.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { othersTurn } from "../clock.ts";
import { flagAt } from "../kube/json.ts";
import { Logger } from "../log.ts";
import { serviceKey } from "../model/service-key.ts";
import { Journal } from "./journal.ts";
import { annotations, type SessionRecord } from "./records.ts";
import { Recovery } from "./recovery.ts";
import { Retries } from "./retries.ts";
import { takeLease } from "./session-lease.ts";

const server = "https://sandbox";
const limit = { timeout: 60_000 };

/** A folder in which a dead daemon of this machine has left "shop/cart", and one of another machine "shop/too", which may live. */
async function opened({ isBroken = false } = {}) {
  const stack = new AsyncDisposableStack();
  const lab = stack.use(await ExposeLab.open());
  const folder = stack.use(temporaryFolder()).path;
  const journalOf = (isElsewhere: boolean) =>
    new Journal(folder, {
      self: { isElsewhere },
      isRunning: async () => false,
      isElsewhere: async (writer) => flagAt(writer, "isElsewhere") === true,
    });
  const left = async (name: string, journal: Journal, more: Partial<SessionRecord> = {}) => {
    const session = more.session ?? sessions.alice;
    const owner = lab.deployment(name, 0, { [annotations.session]: session, [annotations.replicas]: "3" });
    const record = exampleRecord({ owners: [{ ...owner, replicas: 3 }], ...more });
    await journal.write(server, record);
    await takeLease(lab.components, record, { durationMs: 60_000 });
    return owner;
  };
  const [journal, elsewhere] = [journalOf(false), journalOf(true)];
  const cart = await left("web", journal);
  const too = await left("too", elsewhere, { session: sessions.bob, key: serviceKey("shop", "too") });
  const broken = join(folder, `${sessions.carol}.json`);
  if (isBroken) writeFileSync(broken, "{");
  const retries = stack.use(new Retries({ clock: lab.clock, random: () => 1 }));
  const over = new AbortController();
  const lines: string[] = [];
  const log = new Logger(({ message }) => lines.push(message));
  const options = { server, holder: "alice@laptop", limitMs: 60_000, signal: over.signal, retries };
  const recovery = new Recovery({ ...lab.components, journal, log }, options);
  let isOver = false;
  const running = recovery.run().then(() => {
    isOver = true;
  });
  return {
    ...{ lab, broken, running, journal, recovery, lines, cart, too },
    isOver: () => isOver,
    async until(condition: () => boolean) {
      while (!condition()) await othersTurn();
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      await running;
      await stack.disposeAsync();
    },
  };
}

test(
  "Recovery tells of what fails, and tries it again, while another machine's session is still watched",
  limit,
  async () => {
    await using t = await opened();
    t.lab.fail(calling("patch", "deployments"), { kind: "failure", code: 403 });
    await t.until(() => t.recovery.notices.length > 0);
    assert.match(t.recovery.notices.join(), /^Cannot put back "shop\/cart": /);
    await t.until(() => t.lab.clock.sleeps.length === 2);
    await t.lab.clock.advance(2_000);
    await t.until(() => t.recovery.notices.length === 0);
    assert.deepEqual([t.lab.owner(t.cart).replicas, t.lab.owner(t.too).replicas, t.isOver()], [3, 0, false]);
  },
);

test(
  "Recovery tells of a file that cannot be read for as long as it is there, and looks at no session again for it",
  limit,
  async () => {
    await using t = await opened({ isBroken: true });
    await t.until(() => t.lab.owner(t.cart).replicas === 3 && t.lab.names("leases.coordination.k8s.io").length === 1);
    await finished(t.lab.clock, t.running);
    assert.match(t.recovery.notices.join(), /^Cannot read the journal ".*" of an exposure: /);
    const told = t.lines.length;
    await t.lab.clock.advance(600_000);
    assert.deepEqual([t.lines.length, t.recovery.notices.length], [told, 1]);
    // Between two looks.
    await t.until(() => t.lab.clock.sleeps.length === 1);
    rmSync(t.broken);
    await t.lab.clock.advance(180_000);
    await t.until(() => t.recovery.notices.length === 0);
  },
);

test(
  "Recovery does not tell any more of what has failed, once it is back by somebody else in this process",
  limit,
  async () => {
    await using t = await opened();
    t.lab.fail(calling("patch", "deployments"), { kind: "failure", code: 403 });
    await t.until(() => t.recovery.notices.length > 0 && t.lab.clock.sleeps.length === 2);
    const lines: string[] = [];
    const ended = t.recovery.endNow(serviceKey("shop", "cart"), {
      session: "",
      report: ({ message }) => lines.push(message),
    });
    assert.equal(await finished(t.lab.clock, ended), true);
    assert.deepEqual([t.recovery.notices, t.lab.owner(t.cart).replicas], [[], 3]);
    assert.equal(lines[0], 'Putting back what an earlier daemon has left of "shop/cart"');
  },
);

test("Recovery ends at once no other session, and none of another machine", limit, async () => {
  await using t = await opened();
  const asked = (name: string, session: string) =>
    t.recovery.endNow(serviceKey("shop", name), { session, report: () => assert.fail("nothing is to be said") });
  assert.deepEqual([await asked("too", ""), await asked("cart", sessions.bob)], [false, false]);
});

test("Recovery leaves alone what somebody has put back since it failed", limit, async () => {
  await using t = await opened();
  t.lab.fail(calling("patch", "deployments"), { kind: "failure", code: 403 });
  await t.until(() => t.recovery.notices.length > 0 && t.lab.clock.sleeps.length === 2);
  await t.journal.remove(sessions.alice);
  const before = t.lab.writes.length;
  await t.lab.clock.advance(2_000);
  await t.until(() => t.recovery.notices.length === 0);
  assert.deepEqual([t.lab.writes.length, t.lab.owner(t.cart).replicas], [before, 0]);
});
