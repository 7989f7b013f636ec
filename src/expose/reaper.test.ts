import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { calling, ExposeLab, exampleRecord, keptLines, sessions } from "../../test/support/expose-lab.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { numberAt, textAt } from "../kube/json.ts";
import { Journal } from "./journal.ts";
import { type ReaperOptions, reap } from "./reaper.ts";
import { endRecorded } from "./recorded-sessions.ts";
import { annotations } from "./records.ts";
import { renewLease, takeLease } from "./session-lease.ts";

const minute = 60_000;
const mark = { [annotations.session]: sessions.alice, [annotations.replicas]: "3" };

/** A reaper of the lab; `rounds` lets it look so often, a minute apart. */
function start(lab: ExposeLab, options: Partial<ReaperOptions> = {}) {
  const stop = new AbortController();
  const { lines, report } = keptLines();
  const settings = { report, waitMs: 0, graceMs: 2 * minute, everyMs: minute, ...options };
  const over = reap(lab.components, { ...settings, signal: stop.signal });
  const isAsleep = () => lab.clock.sleeps.includes(settings.everyMs);
  const settle = async () => {
    while (!isAsleep()) await turn();
  };
  return {
    texts: () => lines.map(({ level, message }) => `${level} ${message}`),
    async rounds(count: number) {
      await settle();
      for (let round = 0; round < count; round++) {
        await lab.clock.advance(settings.everyMs);
        await settle();
      }
    },
    /** Looks as often as it takes: what is under way may outlast a look. */
    async until(condition: () => boolean) {
      while (!condition()) await this.rounds(1);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await over;
    },
  };
}

/** A session of Alice's that has scaled Deployment "web" from 3. */
async function expose(lab: ExposeLab) {
  const owner = lab.deployment("web", 0, mark);
  lab.pod("localizer-cart-1", sessions.alice);
  const record = exampleRecord({ owners: [{ ...owner, replicas: 3 }] });
  return { owner, lease: await takeLease(lab.components, record, { durationMs: minute }) };
}

/** Until the event loop has brought it about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

describe("reap()", () => {
  it("puts a session back that was silent for its Lease's time and the grace, and not before", async () => {
    await using lab = await ExposeLab.open();
    const { owner } = await expose(lab);
    await using reaper = start(lab);
    await reaper.rounds(2);
    assert.deepEqual([lab.owner(owner).replicas, lab.names("pods")], [0, ["localizer-cart-1"]]);
    await reaper.rounds(1);
    await until(() => lab.names("leases.coordination.k8s.io").length === 0);
    assert.deepEqual([lab.owner(owner), lab.names("pods")], [{ replicas: 3, annotations: {} }, []]);
    await reaper.rounds(1);
    assert.deepEqual(reaper.texts(), [
      'warn No sign of life of alice@laptop, who exposes "shop/cart": what it has changed is put back unless one comes within 120 s',
      'info Deployment "shop/web" is set to 3 again',
      'info "shop/cart" is not exposed by alice@laptop any more',
    ]);
  });

  it("leaves one alone that gives signs of life, and says so once it had doubted", async () => {
    await using lab = await ExposeLab.open();
    const { owner, lease } = await expose(lab);
    await using reaper = start(lab);
    for (let round = 0; round < 4; round++) {
      await reaper.rounds(1);
      await renewLease(lab.components, lease);
    }
    await reaper.rounds(2);
    await renewLease(lab.components, lease);
    await reaper.rounds(1);
    assert.equal(lab.owner(owner).replicas, 0);
    assert.equal(reaper.texts().filter((text) => text.includes("A sign of life of alice@laptop")).length >= 1, true);
    assert.ok(!reaper.texts().some((text) => text.includes("again")));
  });

  it("does not count the time in which nobody could look", async () => {
    await using lab = await ExposeLab.open();
    const { owner } = await expose(lab);
    await using reaper = start(lab);
    await reaper.rounds(1);
    lab.fail(calling("list", "leases"), { kind: "failure", code: 500 }, 5);
    await reaper.rounds(5);
    // The first after it, from which time counts again, and a minute.
    await reaper.rounds(2);
    assert.equal(lab.owner(owner).replicas, 0);
    await reaper.rounds(1);
    await until(() => lab.owner(owner).replicas === 3);
    const troubles = reaper.texts().filter((text) => text.startsWith("error"));
    assert.equal(troubles.length, 1);
    assert.ok(reaper.texts().includes("info Could look again"));
  });

  it("keeps the session's pod until the workload is ready, however often it looks meanwhile", async () => {
    await using lab = await ExposeLab.open();
    lab.service();
    const { owner } = await expose(lab);
    await using reaper = start(lab, { graceMs: 0, waitMs: 60 * minute });
    await reaper.rounds(1);
    await until(() => lab.owner(owner).replicas === 3);
    await reaper.rounds(4);
    assert.deepEqual(lab.names("pods"), ["localizer-cart-1"]);
  });

  it("leaves the Secret to the garbage collector where it may see none", async () => {
    await using lab = await ExposeLab.open();
    await expose(lab);
    lab.fail(calling("list", "secrets"), { kind: "forbidden" }, 100);
    await using reaper = start(lab, { graceMs: 0 });
    await reaper.rounds(1);
    await until(() => lab.names("leases.coordination.k8s.io").length === 0);
    assert.deepEqual(lab.names("pods"), []);
    assert.ok(!reaper.texts().some((text) => text.startsWith("error")));
  });

  it("puts back at once what names a session without a Lease", async () => {
    await using lab = await ExposeLab.open();
    const owner = lab.deployment("web", 0, mark);
    await using _reaper = start(lab);
    await until(() => lab.owner(owner).replicas === 3);
  });

  it("lets no namespace hold up another by the name of a session", async () => {
    await using lab = await ExposeLab.open();
    lab.service();
    const { owner } = await expose(lab);
    await using reaper = start(lab, { graceMs: 0, waitMs: 60 * minute });
    await reaper.rounds(1);
    await until(() => lab.owner(owner).replicas === 3);
    lab.add("deployments.apps", "vault", { annotations: mark, spec: { replicas: 0 } }, "bank");
    await reaper.rounds(10);
    await until(() => numberAt(lab.find("deployments.apps", "vault", "bank"), "spec", "replicas") === 3);
    assert.deepEqual(lab.names("pods"), ["localizer-cart-1"]);
  });

  it("tries again what fails, says so once, and lets it hold up nothing else", async () => {
    await using lab = await ExposeLab.open();
    const [web, db] = [
      lab.deployment("web", 0, mark),
      lab.widget("db", 0, { ...mark, [annotations.session]: sessions.bob }),
    ];
    lab.fail(calling("patch", "deployments"), { kind: "forbidden" }, 3);
    await using reaper = start(lab);
    await until(() => lab.owner(db).replicas === 3);
    await reaper.until(() => lab.owner(web).replicas === 3);
    const about = reaper.texts().filter((text) => text.startsWith("error"));
    assert.equal(new Set(about).size, about.length);
    assert.equal(about.filter((text) => text.includes("web")).length, about.length);
  });

  it("tries again later what it has claimed and could not put back, and takes its own claim for no sign of life", async () => {
    await using lab = await ExposeLab.open();
    const { owner } = await expose(lab);
    lab.fail(calling("patch", "deployments"), { kind: "forbidden" }, 2);
    await using reaper = start(lab, { graceMs: 0 });
    await reaper.rounds(1);
    await until(() => reaper.texts().some((text) => text.startsWith("error")));
    await reaper.until(() => lab.owner(owner).replicas === 3);
    assert.ok(!reaper.texts().some((text) => text.includes("left alone")));
    await until(() => reaper.texts().includes('info "shop/cart" is not exposed by alice@laptop any more'));
  });

  it("leaves what it has claimed and may not put back long enough for its holder to take it over", async () => {
    await using lab = await ExposeLab.open();
    using folder = temporaryFolder();
    const { owner, lease } = await expose(lab);
    const claimant = () => textAt(lab.find("leases.coordination.k8s.io", lease.ref.name), "spec", "holderIdentity");
    // Everybody but the holder's own machine.
    const isDenied = () => claimant()?.startsWith("restore:journal:") === false;
    const patches = calling("patch", "deployments");
    lab.fail((call) => patches(call) && isDenied(), { kind: "forbidden" }, 1_000);
    await using reaper = start(lab, { graceMs: 0 });
    await reaper.until(() => reaper.texts().some((text) => text.startsWith("error")));
    const journal = new Journal(folder.path, { self: {}, isRunning: async () => false });
    const { signal } = new AbortController();
    const options = { holder: "alice@laptop", signal, report: () => {}, limitMs: minute };
    let isOver = false;
    const record = exampleRecord({ owners: [{ ...owner, replicas: 3 }] });
    const ended = endRecorded({ ...lab.components, journal }, record, options).finally(() => {
      isOver = true;
    });
    ended.catch(() => {});
    while (!isOver) {
      await lab.clock.advance(500);
      for (let index = 0; index < 20; index++) await turn();
    }
    await ended;
    assert.equal(lab.owner(owner).replicas, 3);
  });

  it("asks again at the next look what could not be asked before", async () => {
    await using lab = await ExposeLab.open();
    const { owner } = await expose(lab);
    lab.failDiscovery("apps", 2);
    const began = lab.clock.monotonic();
    await using reaper = start(lab, { graceMs: 0 });
    await reaper.until(() => lab.owner(owner).replicas === 3);
    assert.ok(lab.clock.monotonic() - began < 6 * minute);
    assert.ok(!reaper.texts().some((text) => text.includes("does not say that it can be scaled")));
  });

  it("lists owners every ten minutes, and Leases at each look", async () => {
    const lists: string[] = [];
    await using lab = await ExposeLab.open({
      onRequest: ({ method, path }) => void (method === "GET" && lists.push(path.split("/").at(-1) ?? "")),
    });
    const { lease } = await expose(lab);
    await using reaper = start(lab);
    await reaper.rounds(1);
    assert.ok(lists.splice(0).includes("deployments"));
    for (let round = 0; round < 8; round++) {
      await renewLease(lab.components, lease);
      await reaper.rounds(1);
    }
    const count = (name: string) => lists.filter((one) => one === name).length;
    assert.deepEqual([count("leases"), count("deployments")], [8, 0]);
    await renewLease(lab.components, lease);
    await reaper.rounds(1);
    assert.equal(count("deployments"), 1);
  });

  it("looks at owners at once when a Lease is gone", async () => {
    await using lab = await ExposeLab.open();
    const { owner, lease } = await expose(lab);
    await using reaper = start(lab);
    await reaper.rounds(1);
    lab.remove("leases.coordination.k8s.io", lease.ref.name);
    await reaper.rounds(1);
    await until(() => lab.owner(owner).replicas === 3);
  });

  it("waits out the silence of one whose Lease has lost its labels, like that of all others", async () => {
    await using lab = await ExposeLab.open();
    const { owner, lease } = await expose(lab);
    await using reaper = start(lab);
    await reaper.rounds(1);
    const labels = { "app.kubernetes.io/managed-by": "somebody" };
    lab.patch("leases.coordination.k8s.io", lease.ref.name, { metadata: { labels } });
    await reaper.rounds(2);
    assert.equal(lab.owner(owner).replicas, 0);
    await reaper.until(() => lab.owner(owner).replicas === 3);
  });

  it("says nothing while there is nothing, and what it may not look at once", async () => {
    await using lab = await ExposeLab.open();
    lab.fail(calling("list", "widgets"), { kind: "forbidden" }, 100);
    await using reaper = start(lab, { namespaces: ["shop"] });
    await reaper.rounds(20);
    assert.equal(reaper.texts().length, 1);
    assert.match(reaper.texts()[0] ?? "", /^warn Did not look at widgets: /);
  });

  it("looks in the namespaces it is told, and goes on when one of them fails", async () => {
    await using lab = await ExposeLab.open();
    const owner = lab.deployment("web", 0, mark);
    lab.fail((call) => call?.namespace === "bank" && call.verb === "list", { kind: "failure", code: 500 }, 1_000);
    await using reaper = start(lab, { namespaces: ["bank", "shop"] });
    await until(() => lab.owner(owner).replicas === 3);
    await reaper.rounds(2);
    assert.equal(reaper.texts().filter((text) => text.startsWith("error")).length, 1);
  });
});
