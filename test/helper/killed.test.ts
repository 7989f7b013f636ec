// Node says nothing of a channel that breaks while a listener on it is not acknowledged: does the helper tidy up all the same?
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { processIdentity } from "../../src/helper/process-identity.ts";
import { startRemote } from "../support/remote-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { startRawHelper } from "./raw-helper.ts";

const original = "127.0.0.1 localhost\n";

test("the helper tidies up when the channel closes before a listener was acknowledged", async () => {
  await using helper = await startRawHelper("127.82.0.0/16");
  await helper.ask({ type: "hosts", id: 1, entries: [{ address: "127.82.0.1", names: ["cart.shop"] }] });
  assert.match(readFileSync(helper.hosts, "utf8"), /cart\.shop/);
  const answer = Object(await helper.ask({ type: "bind", id: 2, address: "127.82.0.1", port: 18_201 }));
  assert.equal(answer.cmd, "NODE_HANDLE");
  helper.channel.destroy();
  assert.equal(await helper.end, 0);
  assert.equal(readFileSync(helper.hosts, "utf8"), original);
});

test("the helper tidies up when it has a second listener waiting for the first one's acknowledgement", async () => {
  await using helper = await startRawHelper("127.82.0.0/16");
  await helper.ask({ type: "hosts", id: 1, entries: [{ address: "127.82.0.1", names: ["cart.shop"] }] });
  await helper.ask({ type: "bind", id: 2, address: "127.82.0.1", port: 18_201 });
  helper.channel.write('{"type":"received","id":2}\n{"type":"bind","id":3,"address":"127.82.0.2","port":18201}\n');
  helper.channel.end();
  assert.equal(await helper.end, 0);
  assert.equal(readFileSync(helper.hosts, "utf8"), original);
});

test("the helper tidies up whenever a user's part that makes listeners is killed", async () => {
  for (let round = 0; round < 6; round++) {
    using folder = temporaryFolder();
    const place = (name: string) => join(folder.path, name);
    writeFileSync(place("hosts"), original);
    const program = join(import.meta.dirname, "listen-loop.ts");
    await using part = startRemote(process.execPath, [program, place("hosts"), place("link"), place("state")]);
    const helper = Number(await part.fact("helper"));
    // Another moment of the loop each time.
    await delay(round * 3);
    process.kill(part.pid, "SIGKILL");
    await part.end;
    while ((await processIdentity(helper)) !== undefined) await delay(10);
    assert.equal(readFileSync(place("hosts"), "utf8"), original);
  }
});
