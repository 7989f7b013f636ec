import assert from "node:assert/strict";
import { test } from "node:test";
import { makeController, service } from "../../test/support/controller-setup.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { staticCredentials } from "../kube/credentials.ts";
import { StartReport } from "./start-report.ts";

const cluster = {
  contextName: "dev",
  clusterName: "dev",
  userName: "joe",
  server: new URL("https://10.0.0.1:6443"),
  namespace: undefined,
  tls: { rejectUnauthorized: true },
  credentials: staticCredentials(),
};

test("StartReport.summary() counts services and ports and says how long it took", async () => {
  const ports = [
    { name: "a", port: 80 },
    { name: "b", port: 443 },
  ];
  await using made = makeController([service("cart", { ports }), service("web"), service("db", { ports: [] })]);
  const clock = new FakeClock();
  const report = new StartReport(clock);
  await clock.advance(840);
  made.listener.failures.set(443, new LocalizerError("conflict", "The port is taken"));
  await made.start();
  assert.equal(
    report.summary(made.controller.states, cluster, true),
    '2 services of "dev" answer under their names (2 ports, 1 could not be opened, 1 without a tunnel), after 0.8 s',
  );
});

test("StartReport.summary() says that there are no names without root", () => {
  assert.equal(
    new StartReport(new FakeClock()).summary([], cluster, false),
    '0 services of "dev" answer under their addresses (no hosts file without root) (0 ports), after 0.0 s',
  );
});
