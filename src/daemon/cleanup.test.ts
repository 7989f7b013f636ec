import assert from "node:assert/strict";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { type LogEntry, Logger } from "../log.ts";
import { parseLoopbackRange } from "../model/loopback.ts";
import { cleanUp } from "./cleanup.ts";
import type { DaemonOptions } from "./daemon-options.ts";

test("cleanUp() says what it has removed also when the helper cannot be had", async () => {
  using session = temporaryFolder();
  const folder = join(session.path, "localizer");
  mkdirSync(folder, { mode: 0o700 });
  const path = join(folder, "localizer.sock");
  await leaveDeadSocket(path);
  const said: LogEntry[] = [];
  const stop = new AbortController();
  const options = optionsWith({ XDG_RUNTIME_DIR: session.path }, new Logger((entry) => said.push(entry)));
  // As when Ctrl-C comes at sudo's question.
  stop.abort();
  await assert.rejects(cleanUp(options, stop.signal), { code: "aborted" });
  assert.equal(existsSync(path), false);
  assert.deepEqual(
    said.map(({ fields }) => fields.what),
    [`the socket "${path}"`],
  );
});

function optionsWith(env: NodeJS.ProcessEnv, log: Logger): DaemonOptions {
  return {
    namespaces: [],
    skipNamespaces: [],
    clusterDomain: "cluster.local",
    range: parseLoopbackRange("127.92.0.0/16"),
    stateDir: "/nonexistent",
    allowSuffixes: [],
    skipPorts: [],
    exposeLeaseMs: 60_000,
    exposeStartMs: 180_000,
    allowRootExec: false,
    helper: "auto",
    env,
    log,
    version: "0",
  };
}

/** Node removes the file of a server that is closed; a killed one's stays. */
async function leaveDeadSocket(path: string): Promise<void> {
  const server = createServer().listen(path);
  await new Promise((resolve) => server.once("listening", resolve));
  renameSync(path, `${path}.kept`);
  await new Promise((resolve) => server.close(resolve));
  renameSync(`${path}.kept`, path);
}
