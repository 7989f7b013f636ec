/** `ExposeService` and `StopExpose` over a real socket: the client against the server. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp2 } from "node:http2";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it } from "node:test";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { openFakeDaemon, someCluster, temporaryFolder } from "../../test/rpc/fake-daemon.ts";
import { endLines, exposedCart, saying, startLines, ToldLines } from "../../test/rpc/fake-exposure.ts";
import { until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { type ErrorCode, LocalizerError } from "../errors.ts";
import type { DaemonState } from "../server/daemon-state.ts";
import { connectDaemon, type DaemonClient } from "./client.ts";
import type { ExposeWish, StopExposeWish } from "./exposing.ts";

const cart = { namespace: "shop", service: "cart" };

/** A daemon with this state, and a client of it. */
async function asked(state: Partial<DaemonState>) {
  const daemon = await openFakeDaemon(state);
  const client = connectDaemon({ socketPath: daemon.socketPath });
  return {
    ...{ daemon, client },
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await daemon[Symbol.asyncDispose]();
    },
  };
}

/** Both calls, for what holds of both. */
const calls: readonly ((client: DaemonClient, options?: object) => AsyncIterable<unknown>)[] = [
  (client, options) => client.expose(cart, options),
  (client, options) => client.stopExpose(cart, options),
];

describe("DaemonClient.expose(), stopExpose()", () => {
  it("carry the wish there and the lines back, and end with them", async () => {
    const wishes: (ExposeWish | StopExposeWish)[] = [];
    await using made = await asked({
      expose(wish) {
        wishes.push(wish);
        return saying(startLines);
      },
      stopExpose(wish) {
        wishes.push(wish);
        return saying(endLines);
      },
    });
    const wish = { ...cart, portMaps: ["8080:80"], yes: true, pod: { mesh: "inherit" } } as const;
    assert.deepEqual(await Array.fromAsync(made.client.expose(wish)), startLines);
    assert.deepEqual(await Array.fromAsync(made.client.stopExpose({ ...cart, noWait: true, session: "s" })), endLines);
    const [start, stop] = wishes;
    assert.partialDeepStrictEqual(start, wish);
    assert.deepEqual(stop, { ...cart, noWait: true, session: "s" });
  });

  it("throw what the daemon throws, before and after lines", async () => {
    const codes: readonly ErrorCode[] = ["usage", "not-found", "denied", "conflict", "timeout", "unavailable"];
    for (const code of codes) {
      const failure = new LocalizerError(code, 'Cannot expose "shop/cart": so it is');
      for (const lines of [[], startLines]) {
        await using made = await asked({
          expose: () => saying(lines, failure),
          stopExpose: () => saying(lines, failure),
        });
        for (const call of calls) {
          const told: unknown[] = [];
          const all = async () => {
            for await (const line of call(made.client)) told.push(line);
          };
          await assert.rejects(all(), { code, message: failure.message });
          assert.deepEqual(told, lines);
        }
      }
    }
  });

  it("refuse what is no Service", async () => {
    await using made = await asked({});
    const lines = made.client.expose({ namespace: "shop", service: "no service" });
    await assert.rejects(Array.fromAsync(lines), { code: "usage", message: /"no service" is no valid name/ });
  });

  it("leave the daemon going on when the caller leaves, aborts or hangs up", async () => {
    for (const how of ["leaves", "aborts", "hangs up"] as const) {
      const lines = new ToldLines();
      await using made = await asked({ expose: () => lines });
      const stop = new AbortController();
      const reading = made.client.expose(cart, { signal: stop.signal })[Symbol.asyncIterator]();
      lines.say(...startLines.slice(0, 1));
      await reading.next();
      if (how === "leaves") await reading.return?.();
      else {
        const next = assert.rejects(reading.next(), { code: "aborted" }, how);
        if (how === "aborts") stop.abort();
        else await made.client[Symbol.asyncDispose]();
        await next;
      }
      lines.say(...startLines.slice(1));
      lines.end();
      await until(() => lines.asked === startLines.length + 1);
      assert.equal(lines.cancelled, false, how);
    }
  });

  it("do not take a daemon's stop for the end", async () => {
    const lines = new ToldLines();
    await using made = await asked({ expose: () => lines });
    const reading = made.client.expose(cart)[Symbol.asyncIterator]();
    lines.say(...startLines.slice(0, 1));
    await reading.next();
    const next = assert.rejects(reading.next(), { code: "unavailable" });
    await made.daemon.server[Symbol.asyncDispose]();
    await next;
    lines.end();
  });

  it("want the first line within 30 s, and wait for the others as long as it takes", async () => {
    using folder = temporaryFolder();
    const socketPath = join(folder.path, "s");
    await using silent = createServer((socket) => void socket.on("error", () => {}).resume());
    silent.listen(socketPath);
    await once(silent, "listening");
    const clock = new FakeClock();
    const client = connectDaemon({ socketPath, clock });
    for (const [call, wish] of [
      [calls[0], "expose"],
      [calls[1], "stop exposing"],
    ] as const) {
      const first = assert.rejects(Array.fromAsync(call?.(client) ?? []), {
        code: "timeout",
        message: `Cannot ${wish} "shop/cart" over "${socketPath}": no answer within 30000 ms`,
      });
      await until(() => clock.pending > 0);
      await clock.advance(30_000);
      await first;
    }
    await client[Symbol.asyncDispose]();

    const lines = new ToldLines();
    await using daemon = await openFakeDaemon({ expose: () => lines });
    await using patient = connectDaemon({ socketPath: daemon.socketPath, clock });
    const reading = patient.expose(cart)[Symbol.asyncIterator]();
    lines.say(...startLines);
    await reading.next();
    assert.equal(clock.pending, 0);
    lines.end();
  });

  it("say no-daemon when nobody answers, and when the daemon is too old", async () => {
    using folder = temporaryFolder();
    const socketPath = join(folder.path, "s");
    await using client = connectDaemon({ socketPath });
    for (const call of calls) await assert.rejects(Array.fromAsync(call(client)), { code: "no-daemon" });
    const old = createHttp2(connectNodeAdapter({ routes: () => {} })).listen(socketPath);
    await once(old, "listening");
    {
      await using late = connectDaemon({ socketPath });
      for (const call of calls) {
        await assert.rejects(Array.fromAsync(call(late)), {
          code: "not-found",
          message: `The daemon on "${socketPath}" is older than this and cannot expose services; start it anew`,
        });
      }
    }
    old.close();
  });
});

describe("DaemonClient.list()", () => {
  it("has the exposures, with every field", async () => {
    await using made = await asked({ exposures: () => [exposedCart] });
    const { exposures, cluster } = await made.client.list();
    assert.deepEqual(exposures, [exposedCart]);
    assert.deepEqual(cluster, someCluster.cluster());
  });
});
