import assert from "node:assert/strict";
import { lstatSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { LocalizerError } from "../../src/errors.ts";
import type { ListedExposure } from "../../src/rpc/listed-exposure.ts";
import type { ServiceStats } from "../../src/rpc/service-stats.ts";
import type { ServiceRow } from "../../src/server/daemon-state.ts";
import { cart, ledger, openFakeDaemon, someCluster, temporaryFolder } from "./fake-daemon.ts";
import { exposedCart } from "./fake-exposure.ts";
import { cartStats } from "./fake-stats.ts";
import { buildGoClient, GoCallError, runGoClient } from "./go-client.ts";

function hasGrpcCode(code: string, sentence: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof GoCallError && error.grpcCode === code && sentence.test(error.message);
}

/** As protojson prints it with the names of the .proto file: statusReason is status_reason. */
function inProtoNames(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inProtoNames);
  if (typeof value !== "object" || value === null) return value;
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [snake(name), inProtoNames(inner)]));
}

/** The same; 64-bit figures are text there, and what is not known is left out or null. */
function statsInProtoJson(stats: ServiceStats): unknown {
  const ports = stats.ports.map((port) => ({
    ...port,
    ...{
      connectionsTotal: String(port.connectionsTotal),
      retries: String(port.retries),
      failures: String(port.failures),
    },
    ...{ bytesUp: String(port.bytesUp), bytesDown: String(port.bytesDown) },
    ...{ bufferedUp: String(port.bufferedUp), bufferedDown: String(port.bufferedDown) },
    connectMs: { ...port.connectMs, counts: port.connectMs.counts.map(String) },
    lastFailure: port.lastFailure ? { ...port.lastFailure, timeMs: String(port.lastFailure.timeMs) } : null,
  }));
  const pools = stats.pools.map(({ rttMs, ...pool }) => (rttMs === undefined ? pool : { ...pool, rttMs }));
  return inProtoNames({ ...stats, ports, pools });
}

function exposureInProtoJson({ since, ports, ...exposure }: ListedExposure): unknown {
  const counted = ports.map((port) => ({
    ...port,
    ...{ connectionsTotal: String(port.connectionsTotal), refused: String(port.refused) },
    ...{ bytesIn: String(port.bytesIn), bytesOut: String(port.bytesOut) },
  }));
  return inProtoNames({ ...exposure, since: String(since), ports: counted });
}

describe("runGoClient() against openGrpcServer()", () => {
  before(() => buildGoClient().then(() => {}));

  it("lists every field, those that were added too", async () => {
    const left = { namespace: "*", name: "", status: "denied", reason: "Cannot list services: forbidden" };
    await using daemon = await openFakeDaemon({
      notices: () => ["The API server cannot be reached"],
      leftOut: () => [left],
      selector: () => "app=x",
      exposures: () => [exposedCart],
    });
    assert.deepEqual(await runGoClient(daemon.socketPath, "List", {}, "ours"), {
      services: [inProtoNames({ ...cart, stats: null }), inProtoNames({ ...ledger, stats: null })],
      cluster: inProtoNames(someCluster.cluster()),
      notices: ["The API server cannot be reached"],
      left_out: [left],
      selector: "app=x",
      exposures: [exposureInProtoJson(exposedCart)],
    });
    const cluster = inProtoNames(someCluster.cluster());
    assert.deepEqual(await runGoClient(daemon.socketPath, "Ping", {}, "ours"), { cluster });
    assert.deepEqual(await runGoClient(daemon.socketPath, "Stable", {}, "ours"), { stable: true, cluster });
  });

  it("lists what the original's contract knows, for a client that knows no other", async () => {
    await using daemon = await openFakeDaemon();
    const known = ({ namespace, name, status, endpoint, statusReason, ip, ports }: ServiceRow) =>
      inProtoNames({ namespace, name, status, endpoint, statusReason, ip, ports });
    assert.deepEqual(await runGoClient(daemon.socketPath, "List"), { services: [known(cart), known(ledger)] });
  });

  it("reads what was counted, in the list, alone and as a stream that ends with the daemon", async () => {
    const asked = Promise.withResolvers<void>();
    const stats = () => {
      asked.resolve();
      return [cartStats];
    };
    const counted = statsInProtoJson(cartStats);
    await using listing = await openFakeDaemon({
      list: () => [{ ...cart, stats: cartStats }],
      stats: () => [cartStats],
    });
    const cluster = inProtoNames(someCluster.cluster());
    assert.deepEqual(await runGoClient(listing.socketPath, "Stats", {}, "ours"), { cluster, services: [counted] });
    assert.deepEqual(await runGoClient(listing.socketPath, "List", {}, "ours"), {
      ...{ cluster, notices: [], left_out: [], selector: "", exposures: [] },
      services: [Object.assign({}, inProtoNames(cart), { stats: counted })],
    });
    await using watched = await openFakeDaemon({ stats });
    const watching = runGoClient(watched.socketPath, "WatchStats", { interval_ms: 60_000 }, "ours");
    await asked.promise;
    await watched.server[Symbol.asyncDispose]();
    assert.deepEqual(await watching, [{ services: [counted], removed: [] }]);
  });

  it("pings, asks whether it is stable, and checks the health", async () => {
    await using daemon = await openFakeDaemon({ isStable: () => false });
    assert.deepEqual(await runGoClient(daemon.socketPath, "Ping"), {});
    assert.deepEqual(await runGoClient(daemon.socketPath, "Stable"), { stable: false });
    assert.deepEqual(await runGoClient(daemon.socketPath, "health"), { status: "SERVING" });
  });

  it("connects through a link, as old clients do", async () => {
    await using daemon = await openFakeDaemon();
    using folder = temporaryFolder();
    const link = join(folder.path, "localizer.sock");
    symlinkSync(daemon.socketPath, link);
    assert.deepEqual(await runGoClient(link, "Stable"), { stable: true });
  });

  it("kills: the answer arrives although the server closes on it", async () => {
    await using daemon = await openFakeDaemon();
    const ended = daemon.server.killed.then(() => daemon.server[Symbol.asyncDispose]());
    assert.deepEqual(await runGoClient(daemon.socketPath, "Kill"), {});
    await ended;
    assert.equal(lstatSync(daemon.socketPath, { throwIfNoEntry: false }), undefined);
    await assert.rejects(runGoClient(daemon.socketPath, "Ping"), hasGrpcCode("Unavailable", /./));
  });

  it("reads our codes and sentences", async () => {
    await using daemon = await openFakeDaemon({
      list() {
        throw new LocalizerError("conflict", 'Port 80 is taken by "nginx"');
      },
    });
    await assert.rejects(
      runGoClient(daemon.socketPath, "List"),
      hasGrpcCode("FailedPrecondition", /taken by "nginx"$/),
    );
  });

  it("finds all services by reflection, old and new", async () => {
    await using daemon = await openFakeDaemon();
    const services = [
      "api.v1.LocalizerService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ];
    assert.deepEqual(await runGoClient(daemon.socketPath, "reflect"), {
      v1: services,
      v1alpha: services,
      methods: [
        "ExposeService",
        "StopExpose",
        "List",
        "Ping",
        "Kill",
        "Stable",
        "Stats",
        "WatchStats",
        "WorkloadEnvironment",
      ],
      unknownCode: 5,
    });
  });
});
