import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cart, ledger, openFakeDaemon, someCluster } from "../../../test/rpc/fake-daemon.ts";
import { fakeIo } from "../../../test/rpc/fake-io.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { DaemonState } from "../../server/daemon-state.ts";
import { main } from "../main.ts";

/** Runs `wait`, moving the time whenever it sleeps. */
async function runWait(state: Partial<DaemonState>, ...argv: readonly string[]) {
  await using daemon = await openFakeDaemon(state);
  const clock = new FakeClock();
  const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath }, clock);
  let code: number | undefined;
  const running = main(["wait", ...argv], io).then((result) => {
    code = result;
  });
  const sleeps: number[] = [];
  while (code === undefined) {
    const ms = await Promise.race([clock.asleep(), running]);
    if (ms === undefined) break;
    sleeps.push(ms);
    await clock.advance(ms);
  }
  await running;
  return { code, out: io.out(), err: io.err(), sleeps };
}

/** Gives these one after the other, then the last for good. */
function inTurn<T>(...values: readonly [T, ...T[]]): () => T {
  let next = 0;
  return () => values[Math.min(next++, values.length - 1)] ?? values[0];
}

const waiting = { ...cart, status: "waiting", statusReason: "no pod is ready", endpoint: "", portRows: [] } as const;

describe("wait", () => {
  it("returns when the daemon is stable, and polls ever more gently", async () => {
    const unstable = Array.from({ length: 9 }, () => false);
    const { code, out, sleeps } = await runWait({ isStable: inTurn(false, ...unstable, true) });
    assert.equal(code, 0);
    assert.match(out, /^The daemon is stable, after \d+\.\d s\n$/);
    assert.deepEqual(
      sleeps.map((ms) => Math.round(ms)),
      [50, 75, 113, 169, 253, 380, 500, 500, 500, 500],
    );
  });

  it("returns when every named Service is ready; without a namespace the context's is meant", async () => {
    const other = { ...cart, namespace: "default", name: "web" };
    const list = inTurn([], [waiting], [waiting, other], [cart, other]);
    const { code, out } = await runWait({ list, isStable: () => false }, "shop/cart", "web");
    assert.equal(code, 0);
    assert.match(out, /^shop\/cart, default\/web are ready, after /);
    const inShop = { ...someCluster.cluster(), namespace: "shop" };
    assert.equal((await runWait({ cluster: () => inShop }, "cart")).code, 0);
  });

  it("exits with 6 and says what is missing and why when the time is up", async () => {
    const state = { list: () => [waiting, ledger], notices: () => ["The API server cannot be reached"] };
    const { code, err } = await runWait(state, "shop/cart", "--timeout", "2s");
    assert.equal(code, 6);
    assert.equal(
      err,
      "localizer: Not ready after 2 s: shop/cart is waiting (no pod is ready); The API server cannot be reached\n",
    );
    const stable = await runWait({ isStable: () => false }, "--timeout=0");
    assert.equal(stable.code, 6);
    assert.match(stable.err, /Not ready after 0 s: the daemon is still at work/);
    assert.deepEqual(stable.sleeps, []);
  });

  it("takes its time from the environment, too", async () => {
    await using daemon = await openFakeDaemon({ isStable: () => false });
    const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath, LOCALIZER_TIMEOUT: "10ms" });
    assert.equal(await main(["wait"], io), 6);
    assert.match(io.err(), /after 0\.01 s/);
  });

  it("exits with 5 at once where a right is missing, and with 7 when a conflict lasts", async () => {
    const denied = await runWait({}, "bank/ledger");
    assert.deepEqual([denied.code, denied.sleeps], [5, []]);
    assert.equal(denied.err, `localizer: Service "bank/ledger" is denied: ${ledger.statusReason}\n`);
    const taken = { ...cart, status: "conflict", statusReason: "80: taken" } as const;
    const conflict = await runWait({ list: () => [taken] }, "shop/cart");
    assert.equal(conflict.code, 7);
    const waitedMs = conflict.sleeps.reduce((sum, ms) => sum + ms, 0);
    assert.ok(waitedMs >= 3_000 && waitedMs < 4_000, String(waitedMs));
  });

  it("returns when the names are written, and says each Service once", async () => {
    const list = inTurn([{ ...cart, namesPending: true }], [cart]);
    const { code, out, sleeps } = await runWait({ list }, "shop/cart", "shop/cart");
    assert.equal(code, 0);
    assert.match(out, /^shop\/cart is ready, after /);
    assert.equal(sleeps.length, 1);
  });

  it("exits with 4 and the nearest name when there is no such Service", async () => {
    const { code, err } = await runWait({}, "shop/crat");
    assert.equal(code, 4);
    assert.equal(err, 'localizer: There is no Service "shop/crat"; did you mean "shop/cart"?\n');
  });

  it("exits with 2 for a time or a name that is none, before it asks anybody", async () => {
    for (const argv of [["--timeout", "soon"], ["Shop/cart"], ["/cart"], ["a/b/c"]]) {
      const { code, err } = await runWait({}, ...argv);
      assert.equal(code, 2, err);
    }
  });
});
