import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { type LogEntry, Logger, silentLogger } from "../log.ts";
import { claimFor } from "./claim-place.ts";

const cluster = { clusterName: "dev", server: new URL("https://10.0.0.1:6443/") };
const clock = new FakeClock();

test("claimFor() refuses the same cluster to a user's second daemon, wherever that keeps its state", async () => {
  using session = temporaryFolder();
  const options = { env: { XDG_RUNTIME_DIR: session.path }, log: silentLogger() };
  await using claim = await claimFor(options, cluster, clock);
  assert.equal(readdirSync(join(session.path, "localizer")).length, 1);
  await assert.rejects(claimFor(options, cluster, clock), { code: "conflict" });
  await claim.answersOn(join(session.path, "localizer", "localizer.sock"));
  await assert.rejects(claimFor(options, cluster, clock), { code: "conflict", message: /"localizer down" stops it$/ });
});

test("claimFor() goes on without a claim where others may enter the folder, and says so", async () => {
  using session = temporaryFolder();
  mkdirSync(join(session.path, "localizer"));
  chmodSync(join(session.path, "localizer"), 0o755);
  const said: LogEntry[] = [];
  const log = new Logger((entry) => said.push(entry));
  await using claim = await claimFor({ env: { XDG_RUNTIME_DIR: session.path }, log }, cluster, clock);
  await claim.answersOn("/run/s");
  assert.deepEqual([said.length, readdirSync(join(session.path, "localizer"))], [1, []]);
});
