import assert from "node:assert/strict";
import { lstatSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { LocalizerError } from "../../src/errors.ts";
import { cart, ledger, openFakeDaemon, temporaryFolder } from "./fake-daemon.ts";
import { buildGoClient, GoCallError, runGoClient } from "./go-client.ts";

function hasGrpcCode(code: string, sentence: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof GoCallError && error.grpcCode === code && sentence.test(error.message);
}

describe("runGoClient() against openGrpcServer()", () => {
  before(() => buildGoClient().then(() => {}));

  it("lists every field", async () => {
    await using daemon = await openFakeDaemon();
    const { statusReason: status_reason, ...rest } = cart;
    const { statusReason: denied, ...other } = ledger;
    assert.deepEqual(await runGoClient(daemon.socketPath, "List"), {
      services: [
        { ...rest, status_reason },
        { ...other, status_reason: denied },
      ],
    });
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
    const who = { namespace: "shop", service: "cart", port_map: ["8080:80"] };
    await assert.rejects(
      runGoClient(daemon.socketPath, "ExposeService", who),
      hasGrpcCode("Unimplemented", /^Cannot expose "shop\/cart": /),
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
      methods: ["ExposeService", "StopExpose", "List", "Ping", "Kill", "Stable"],
      unknownCode: 5,
    });
  });
});
