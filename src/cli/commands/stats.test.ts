/** `stats` and `metrics` against a daemon without a cluster. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openFakeDaemon, someCluster } from "../../../test/rpc/fake-daemon.ts";
import { fakeIo } from "../../../test/rpc/fake-io.ts";
import { cartStats, servedStats } from "../../../test/rpc/fake-stats.ts";
import { until } from "../../../test/support/event-loop.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { prometheusText } from "../../client/prometheus-text.ts";
import { clusterLine } from "../list-formats.ts";
import { main } from "../main.ts";
import { statsTable } from "../stats-table.ts";

const ledger = servedStats("bank", "ledger");
const cluster = someCluster.cluster();
const head = `${clusterLine(cluster)}\n`;

async function run(stats: readonly (typeof ledger)[], ...argv: readonly string[]) {
  await using daemon = await openFakeDaemon({ stats: () => stats });
  const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath }, new FakeClock());
  const code = await main(argv, io);
  return { code, out: io.out(), err: io.err(), nowMs: io.clock.now() };
}

describe("stats", () => {
  it("prints which cluster it is and a table, sorted, of the namespaces asked for", async () => {
    const all = await run([cartStats, ledger], "stats");
    assert.deepEqual([all.code, all.err], [0, ""]);
    assert.equal(all.out, `${head}${statsTable([ledger, cartStats], all.nowMs)}`);
    const bank = await run([cartStats, ledger], "stats", "--namespace=bank");
    assert.equal(bank.out, `${head}${statsTable([ledger], bank.nowMs)}`);
  });

  it("prints JSON with every figure", async () => {
    const { code, out } = await run([cartStats, ledger], "stats", "-o", "json");
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(out), JSON.parse(JSON.stringify({ cluster, services: [ledger, cartStats] })));
  });

  it("says so when there was no connection", async () => {
    assert.equal((await run([], "stats")).out, `${head}No connection was made yet\n`);
  });

  it("exits with 2 for a form or a time that it does not know, and takes no form from the environment", async () => {
    const wide = await run([], "stats", "-o", "wide");
    assert.deepEqual(
      [wide.code, wide.err.split("\n")[0]],
      [2, 'localizer: Cannot print as "wide": want table or json'],
    );
    assert.equal((await run([], "stats", "--watch", "--interval=soon")).code, 2);
    for (const short of ["0s", "0", "99ms"]) {
      const { code, err } = await run([], "stats", "--watch", `--interval=${short}`);
      assert.deepEqual(
        [code, err.split("\n")[0]],
        [2, `localizer: Cannot use "${short}" for --interval: want at least 100ms`],
      );
    }
    const io = fakeIo({ LOCALIZER_OUTPUT: "wide", LOCALIZER_SOCKET: "/nonexistent/s" });
    assert.equal(await main(["stats"], io), 3);
    assert.match(io.err(), /If it listens elsewhere, name its socket with --socket/);
  });
});

describe("stats --watch", () => {
  it("prints everything, then what has changed, until it is asked to stop, and listens no more", async () => {
    const clock = new FakeClock();
    let now = [ledger, cartStats];
    await using daemon = await openFakeDaemon({ stats: () => now }, { clock });
    const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath });
    const argv = ["stats", "--watch", "-o", "json", "--namespace=shop", "--interval=300ms"];
    const running = main(argv, io);
    assert.equal(await clock.asleep(), 300);
    // One that is not asked for is no news.
    now = [cartStats];
    await clock.advance(300);
    await clock.asleep();
    now = [];
    await clock.advance(300);
    await until(() => io.out().split("\n").length === 3);
    io.ask("SIGINT");
    assert.equal(await running, 0);
    const lines = io.out().split("\n").slice(0, -1);
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      [
        JSON.parse(JSON.stringify({ services: [cartStats], removed: [] })),
        { services: [], removed: [{ namespace: "shop", name: "cart" }] },
      ],
    );
    assert.equal(io.listening(), 0);
    await until(() => clock.pending === 0);
  });

  it("prints tables, and ends with the daemon", async () => {
    const clock = new FakeClock();
    let now = [cartStats];
    await using daemon = await openFakeDaemon({ stats: () => now }, { clock });
    const ioClock = new FakeClock();
    const io = fakeIo({ LOCALIZER_SOCKET: daemon.socketPath }, ioClock);
    const running = main(["stats", "-w"], io);
    assert.equal(await clock.asleep(), 1_000);
    now = [];
    await clock.advance(1_000);
    await until(() => io.out().includes("no more"));
    await daemon.server[Symbol.asyncDispose]();
    assert.equal(await running, 0);
    assert.equal(io.out(), `${statsTable([cartStats], ioClock.now())}shop/cart is no more\n`);
  });
});

describe("metrics", () => {
  it("prints what Prometheus reads", async () => {
    const { code, out } = await run([cartStats, ledger], "metrics");
    assert.equal(code, 0);
    assert.equal(out, prometheusText({ cluster, services: [ledger, cartStats] }));
  });
});
