/** The original's client exposes Services and gives them back: it asks by its own contract, and sees progress and errors. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { LocalizerError } from "../../src/errors.ts";
import type { ExposeLine, ExposeWish, StopExposeWish } from "../../src/rpc/exposing.ts";
import { until } from "../support/event-loop.ts";
import { openFakeDaemon } from "./fake-daemon.ts";
import { endLines, saying, startLines, ToldLines } from "./fake-exposure.ts";
import { buildGoClient, GoCallError, runGoClient } from "./go-client.ts";

const who = { namespace: "shop", service: "cart" };

/** What a client reads that knows of levels and messages only. */
function known(lines: readonly ExposeLine[]): unknown {
  return lines.map(({ level, message }) => ({ level: `CONSOLE_LEVEL_${level.toUpperCase()}`, message }));
}

describe("runGoClient() ExposeService, StopExpose", () => {
  before(() => buildGoClient().then(() => {}));

  it("asks for what the original can ask for, and reads every line", async () => {
    const wishes: (ExposeWish | StopExposeWish)[] = [];
    await using daemon = await openFakeDaemon({
      expose(wish) {
        wishes.push(wish);
        return saying(startLines);
      },
      stopExpose(wish) {
        wishes.push(wish);
        return saying(endLines);
      },
    });
    const { socketPath } = daemon;
    const started = await runGoClient(socketPath, "ExposeService", { ...who, port_map: ["8080:80", "9090:grpc"] });
    assert.deepEqual(started, known(startLines));
    assert.deepEqual(await runGoClient(socketPath, "StopExpose", who), known(endLines));
    const [start, stop] = wishes;
    const plain = { dryRun: false, yes: false, takeOver: false, allowVolumeLoss: false, allowPartial: false };
    assert.partialDeepStrictEqual(start, { ...who, portMaps: ["8080:80", "9090:grpc"], ...plain });
    assert.deepEqual(stop, { ...who, noWait: false, session: "" });
  });

  it("reads progress and then the error, by code and sentence", async () => {
    const sentence = 'Service "shop/cart" is exposed by alice@host since 10:02 (last sign of life 8 s ago)';
    for (const [code, grpcCode] of [
      ["conflict", "FailedPrecondition"],
      ["not-found", "NotFound"],
      ["denied", "PermissionDenied"],
      ["usage", "InvalidArgument"],
      ["timeout", "DeadlineExceeded"],
      ["unavailable", "Unavailable"],
    ] as const) {
      for (const lines of [[], startLines.slice(0, 2)]) {
        const fails = () => saying(lines, new LocalizerError(code, sentence));
        await using daemon = await openFakeDaemon({ expose: fails, stopExpose: fails });
        for (const method of ["ExposeService", "StopExpose"]) {
          await assert.rejects(runGoClient(daemon.socketPath, method, who), (error) => {
            assert(error instanceof GoCallError);
            assert.deepEqual([error.grpcCode, error.message, error.messages], [grpcCode, sentence, known(lines)]);
            return true;
          });
        }
      }
    }
  });

  it("gives up by its own deadline, and cancels nothing", async () => {
    const lines = new ToldLines();
    await using daemon = await openFakeDaemon({ expose: () => lines });
    lines.say(...startLines.slice(0, 1));
    const late = runGoClient(daemon.socketPath, "ExposeService", who, "original", { deadline: "2s" });
    await assert.rejects(late, (error) => {
      assert(error instanceof GoCallError);
      assert.deepEqual([error.grpcCode, error.messages], ["DeadlineExceeded", known(startLines.slice(0, 1))]);
      return true;
    });
    lines.say(...startLines.slice(1));
    lines.end();
    await until(() => lines.asked === startLines.length + 1);
    assert.equal(lines.cancelled, false);
  });

  it("asks for everything by our contract, and reads the steps", async () => {
    let wished: ExposeWish | undefined;
    await using daemon = await openFakeDaemon({
      expose(wish) {
        wished = wish;
        return saying(startLines);
      },
    });
    const pod = { image: "sshd:1", pull_secrets: ["a"], labels: { team: "shop" }, mesh: "inherit", cpu_limit: "1" };
    const request = {
      ...who,
      dry_run: true,
      yes: true,
      take_over: true,
      allow_volume_loss: true,
      allow_partial: true,
      pod,
    };
    const told = await runGoClient(daemon.socketPath, "ExposeService", request, "ours");
    const steps = startLines.map(({ step }) => ({ step }));
    assert.partialDeepStrictEqual(told, steps);
    const asked = { image: "sshd:1", pullSecrets: ["a"], labels: { team: "shop" }, mesh: "inherit", cpuLimit: "1" };
    assert.partialDeepStrictEqual(wished, {
      ...{ dryRun: true, yes: true, takeOver: true, allowVolumeLoss: true, allowPartial: true },
      pod: asked,
    });
  });
});
