import assert from "node:assert/strict";
import { test } from "node:test";
import { prepareChild } from "./run-child.ts";
import { bringEnvironment } from "./workload-variables.ts";

test("bringEnvironment(): what somebody writes into a Deployment runs no code on this machine", async () => {
  const variables = [{ name: "NODE_OPTIONS", value: "--import=data:text/javascript,process.exit(42)" }];
  const environment = { source: "d", container: "c", variables, omitted: [], notices: [] };
  const flags = { isForProgram: true, secrets: false, isAll: false };
  const client = { workloadEnvironment: async () => environment };
  const given = await bringEnvironment(client, { namespace: "a", service: "b" }, flags, () => {});
  const words = [process.execPath, "-e", "process.exit(0)"];
  const start = await prepareChild(words, { env: { PATH: process.env.PATH }, isTerminal: false });
  assert.equal(await (await start(given)).ended, 0);
});
