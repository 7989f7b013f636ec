import assert from "node:assert/strict";
import { test } from "node:test";
import { makeController, service } from "../../test/support/controller-setup.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { staticCredentials } from "../kube/credentials.ts";
import { Logger } from "../log.ts";
import { port } from "../model/port.ts";
import { namesPlace, StartReport } from "./start-report.ts";

const cluster = {
  contextName: "dev",
  clusterName: "dev",
  userName: "joe",
  server: new URL("https://10.0.0.1:6443"),
  namespace: undefined,
  tls: { rejectUnauthorized: true },
  credentials: staticCredentials(),
};

const unknown = { worksIn: () => false, deniedIn: () => undefined };
const written = { contextName: "dev", health: unknown, names: namesPlace(true, undefined) };

test("StartReport.summary() counts services by their states, and ports, and says how long it took", async () => {
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
    report.summary(made.controller.states, written),
    '0 services of "dev" answer under their names (2 ports, 1 could not be opened, 1 waiting for a pod, 1 in conflict, 1 skipped), after 0.8 s',
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
  const ready = { ...own, state: "listening" as const, at: { ...own.at, port: port(8080) }, ready: 1 };
  assert.equal(
    new StartReport(new FakeClock()).summary([{ ...state, ports: [ready], pods: [pod] }], written),
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
  report.namesWritten(made.controller.states, namesPlace(true, undefined));
  report.namesWritten(made.controller.states, namesPlace(false, undefined));
  report.namesWritten(made.controller.states, namesPlace(true, new LocalizerError("unavailable", "no space is left")));
  assert.deepEqual(lines, [
    'info Reached the cluster {"context":"dev","cluster":"dev","server":"https://10.0.0.1:6443/","after":"0.0 s"}',
    'info Found the services {"services":12,"after":"1.2 s"}',
    'info Found the services {"services":1,"namespaces":"shop,bank","after":"1.2 s"}',
    'info Wrote the names {"names":3,"after":"1.2 s"}',
  ]);
});

test("StartReport.summary() says why there are no names", () => {
  const summary = (names: ReturnType<typeof namesPlace>) =>
    new StartReport(new FakeClock()).summary([], { ...written, names });
  assert.equal(
    summary(namesPlace(false, undefined)),
    '0 services of "dev" answer under their addresses (no hosts file without root) (0 ports), after 0.0 s',
  );
  assert.equal(
    summary(namesPlace(true, new LocalizerError("unavailable", "Cannot write /etc/hosts: no space is left"))),
    '0 services of "dev" answer under their addresses (no names: Cannot write /etc/hosts: no space is left) (0 ports), after 0.0 s',
  );
});

test("StartReport.summary() counts what is denied, and a service without an address as a conflict", async () => {
  await using made = makeController([service("cart")]);
  await made.start();
  const [state] = made.controller.states;
  assert.ok(state !== undefined);
  const failed = {
    kind: "failed",
    key: state.key,
    error: new LocalizerError("unavailable", "no address is left"),
  } as const;
  const health = { ...unknown, deniedIn: () => new LocalizerError("denied", "No") };
  assert.match(
    new StartReport(new FakeClock()).summary([state, failed], { ...written, health }),
    /^0 services of "dev" .*\(1 port, 1 denied, 1 in conflict\)/,
  );
});
