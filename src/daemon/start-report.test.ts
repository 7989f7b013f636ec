import assert from "node:assert/strict";
import { test } from "node:test";
import { makeController, service } from "../../test/support/controller-setup.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { staticCredentials } from "../kube/credentials.ts";
import { Logger } from "../log.ts";
import { port } from "../model/port.ts";
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
    '2 services of "dev" answer under their names (2 ports, 1 could not be opened, 2 without a ready pod, 1 without a tunnel), after 0.8 s',
  );
});

test("StartReport.summary() counts pods by name and shifted ports", async () => {
  await using made = makeController([service("db")]);
  await made.start();
  const [state] = made.controller.states;
  assert.ok(state?.kind === "tunnel");
  const [own] = state.ports;
  assert.ok(own?.at !== undefined);
  const pod = { hostname: "db-0", address: state.address, ports: [own], names: { names: [], skipped: [] } };
  const ready = { ...own, at: { ...own.at, port: port(8080) }, ready: 1 };
  assert.equal(
    new StartReport(new FakeClock()).summary([{ ...state, ports: [ready], pods: [pod] }], cluster, true),
    '1 services of "dev" answer under their names (2 ports, 1 pod by name, 1 low port shifted), after 0.0 s',
  );
});

test("StartReport logs a line for each phase, with the time", async () => {
  const clock = new FakeClock();
  const lines: string[] = [];
  const log = new Logger(({ level, message, fields }) => lines.push(`${level} ${message} ${JSON.stringify(fields)}`));
  const report = new StartReport(clock, log);
  report.clusterReached(cluster);
  await clock.advance(1_240);
  report.servicesFound(12, []);
  report.servicesFound(1, ["shop", "bank"]);
  await using made = makeController([service("cart")]);
  await made.start();
  report.namesWritten(made.controller.states, true);
  report.namesWritten(made.controller.states, false);
  assert.deepEqual(lines, [
    'info Reached the cluster {"context":"dev","cluster":"dev","server":"https://10.0.0.1:6443/","after":"0.0 s"}',
    'info Found the services {"services":12,"after":"1.2 s"}',
    'info Found the services {"services":1,"namespaces":"shop,bank","after":"1.2 s"}',
    'info Wrote the names {"names":3,"after":"1.2 s"}',
  ]);
});

test("StartReport.summary() says that there are no names without root", () => {
  assert.equal(
    new StartReport(new FakeClock()).summary([], cluster, false),
    '0 services of "dev" answer under their addresses (no hosts file without root) (0 ports), after 0.0 s',
  );
});
