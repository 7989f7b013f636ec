import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { type LogEntry, Logger } from "../log.ts";
import { hostName } from "../model/host-name.ts";
import { addressAt, parseLoopbackRange } from "../model/loopback.ts";
import { port } from "../model/port.ts";
import { localHelper } from "./unprivileged.ts";

const address = addressAt(parseLoopbackRange("127.91.0.0/16"), 1);

test("localHelper() listens in this process and tells the names once", async () => {
  const lines: LogEntry[] = [];
  await using helper = localHelper({ log: new Logger((entry) => lines.push(entry)), env: {} });
  assert.deepEqual(helper.identity, { pid: process.pid, uid: process.geteuid?.() });
  const at = { address, port: port(18_200) };
  await using listener = await helper.listen(at, () => {});
  assert.deepEqual(listener.at, at);
  await helper.writeHosts([{ address, names: [hostName("cart.shop")] }]);
  await helper.writeHosts([{ address, names: [hostName("cart.shop")] }]);
  assert.equal(lines.length, 1);
});

test("localHelper() finds a private folder", async () => {
  using folder = temporaryFolder();
  await using helper = localHelper({ log: new Logger(() => {}), env: { XDG_RUNTIME_DIR: folder.path } });
  assert.equal(await helper.prepareRuntimeDir(), join(folder.path, "localizer"));
});
