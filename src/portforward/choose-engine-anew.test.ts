import assert from "node:assert/strict";
import { test } from "node:test";
import { openEngineServer } from "../../test/support/engine-server.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { podConnector } from "./choose-engine.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const { signal: never } = new AbortController();

test("podConnector() chooses anew when circumstances are others, and not where an engine is forced", async () => {
  for (const forced of [undefined, "websocket"] as const) {
    await using server = await openEngineServer({ websocket: "works" });
    let circumstances = "v1.30";
    const parts = { cluster: server.cluster, clock: new FakeClock(), log: { info: () => {} } };
    const connector = podConnector({ ...parts, circumstances: () => circumstances }, forced);
    const connect = async () => await (await connector.connect(pod, never))[Symbol.asyncDispose]();
    await connect();
    server.answers.set("post-spdy", "works");
    await connect();
    assert.equal(connector.engine, "websocket");
    circumstances = "v1.31";
    await connect();
    await connect();
    assert.equal(connector.engine, forced ?? "post-spdy");
    assert.deepEqual(server.asked.slice(-2), forced === undefined ? ["post-spdy", "post-spdy"] : [forced, forced]);
  }
});
