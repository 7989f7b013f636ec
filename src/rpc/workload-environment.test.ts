import assert from "node:assert/strict";
import { test } from "node:test";
import { openFakeDaemon } from "../../test/rpc/fake-daemon.ts";
import { LocalizerError } from "../errors.ts";
import { connectDaemon } from "./client.ts";
import type { EnvironmentWish, WorkloadEnvironment } from "./workload-environment.ts";

const environment: WorkloadEnvironment = {
  source: 'Deployment "cart"',
  container: "app",
  variables: [
    { name: "TEXT", value: "two\nlines" },
    { name: "EMPTY", value: "" },
  ],
  omitted: [{ name: "", reason: 'Secret "db": you may not read it' }],
  notices: ["So it is"],
};

test("workloadEnvironment() carries the wish there and all of the answer back", async () => {
  const wishes: EnvironmentWish[] = [];
  await using daemon = await openFakeDaemon({
    async workloadEnvironment(wish) {
      wishes.push(wish);
      return environment;
    },
  });
  await using client = connectDaemon({ socketPath: daemon.socketPath });
  const whole = { namespace: "shop", service: "cart", portMaps: ["8080:80"], secrets: true };
  assert.deepEqual(await client.workloadEnvironment(whole), environment);
  await client.workloadEnvironment({ namespace: "shop", service: "cart" });
  assert.deepEqual(wishes, [whole, { namespace: "shop", service: "cart", portMaps: [], secrets: false }]);
});

test("workloadEnvironment() throws what the daemon says, and refuses what is no Service", async () => {
  await using daemon = await openFakeDaemon({
    async workloadEnvironment() {
      throw new LocalizerError("not-found", "There is no such Service");
    },
  });
  await using client = connectDaemon({ socketPath: daemon.socketPath });
  const ask = (service: string) => client.workloadEnvironment({ namespace: "shop", service });
  await assert.rejects(ask("cart"), { code: "not-found", message: "There is no such Service" });
  await assert.rejects(ask("No Service"), { code: "usage" });
});
