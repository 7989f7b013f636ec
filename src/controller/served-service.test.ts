import assert from "node:assert/strict";
import { test } from "node:test";
import { makeController, namedSlice, plainPolicy, service } from "../../test/support/controller-setup.ts";
import { turns, until } from "../../test/support/event-loop.ts";
import { LocalizerError } from "../errors.ts";
import { type ServiceKey, serviceKey } from "../model/service-key.ts";

const headless = { clusterIP: "None", ports: [{ port: 80, targetPort: 8080 }] };
type Made = ReturnType<typeof makeController>;

/** The only service, which has a tunnel. */
function served(made: Made) {
  const [state] = made.controller.states;
  assert.ok(state?.kind === "tunnel");
  return state;
}

/** Every pod in short: "db-0 80:1,8080:1 db-0.db.team-a" is one whose two ports have a ready pod each. */
function pods(made: Made): readonly string[] {
  return served(made).pods.map(({ hostname, ports, names }) => {
    return `${hostname} ${ports.map(({ port, ready }) => `${port}:${ready}`).join(",")} ${names.names.at(-1)}`;
  });
}

/** A policy whose answers the test gives. */
function lateNames(namespace: string) {
  const answers = new Map<string, boolean>();
  const listeners = new Set<(changed: ServiceKey | "all") => void>();
  const state = { settled: true };
  return {
    names: {
      ...plainPolicy,
      shortNamesFor: namespace,
      resolvesElsewhere: (name: string) => answers.get(name),
      get settled() {
        return state.settled;
      },
      onChange: (listener: (changed: ServiceKey | "all") => void) => {
        listeners.add(listener);
        return { [Symbol.dispose]: () => listeners.delete(listener) };
      },
    },
    ...{ state, listeners, answers },
    answer(name: string, isElsewhere: boolean) {
      answers.set(name, isElsewhere);
      for (const listener of listeners) listener(serviceKey(namespace, name));
    },
  };
}

test("ServedService gives each pod of a headless service an address, names and ports of its own", async () => {
  await using made = makeController([service("db", headless)]);
  made.putSlice(namedSlice("db", "db-10", "db-2"));
  await made.start();
  await made.stable();
  assert.deepEqual(pods(made), ["db-2 80:1,8080:1 db-2.db.team-a", "db-10 80:1,8080:1 db-10.db.team-a"]);
  const state = served(made);
  const addresses = [state.address, ...state.pods.map(({ address }) => address)];
  assert.equal(new Set(addresses).size, 3);
  assert.deepEqual(
    made.listener.open.toSorted(),
    addresses.flatMap((address) => [`${address}:80`, `${address}:8080`]).sort(),
  );
  assert.deepEqual(made.writes[0]?.split(" ").toSorted(), ["db-10.db.team-a", "db-2.db.team-a", "db.team-a"]);
});

test("ServedService keeps a pod that is not ready, without an endpoint, and takes all back of one that is gone", async () => {
  await using made = makeController([service("db", headless)]);
  made.putSlice(namedSlice("db", "db-0", "db-1"));
  await made.start();
  await made.stable();
  const before = served(made).pods;
  made.putSlice(namedSlice("db", "!db-0", "db-1"));
  await made.stable();
  assert.deepEqual(pods(made), ["db-0 80:0,8080:0 db-0.db.team-a", "db-1 80:1,8080:1 db-1.db.team-a"]);
  assert.equal(made.writes.length, 1);
  made.putSlice(namedSlice("db", "db-1"));
  await made.stable();
  assert.deepEqual(pods(made), ["db-1 80:1,8080:1 db-1.db.team-a"]);
  assert.equal(made.listener.open.length, 4);
  assert.deepEqual(made.writes[1]?.split(" ").toSorted(), ["db-1.db.team-a", "db.team-a"]);
  made.putSlice(namedSlice("db", "db-0", "db-1"));
  await made.stable();
  assert.deepEqual(
    served(made).pods.map(({ address }) => address),
    before.map(({ address }) => address),
  );
});

test("ServedService lets a pod that is not ready take connections where the service publishes it", async () => {
  await using made = makeController([service("db", { ...headless, publishNotReadyAddresses: true })]);
  made.putSlice(namedSlice("db", "!db-0"));
  await made.start();
  assert.deepEqual(pods(made), ["db-0 80:1,8080:1 db-0.db.team-a"]);
});

test("ServedService gives no pod a name where the service is not headless, any more or at all", async () => {
  await using made = makeController([service("db", headless)]);
  made.putSlice(namedSlice("db", "db-0"));
  await made.start();
  assert.equal(pods(made).length, 1);
  made.put(service("db", { ports: headless.ports }));
  await made.stable();
  assert.deepEqual([pods(made), made.summary(), made.listener.open.length], [[], ["db 80"], 1]);
  assert.equal(made.writes.at(-1), "db.team-a");
});

test("ServedService takes everything back when the service is deleted", async () => {
  await using made = makeController([service("db", headless)]);
  made.putSlice(namedSlice("db", "db-0", "db-1"));
  await made.start();
  made.remove("db");
  await made.stable();
  assert.deepEqual([made.listener.open, made.writes.at(-1)], [[], ""]);
});

test("ServedService serves the rest when a port of one pod is taken, and tries that one again", async () => {
  await using made = makeController([service("db", headless)]);
  made.putSlice(namedSlice("db", "db-0"));
  made.listener.failures.set(8080, new LocalizerError("conflict", "The port is taken"));
  await made.start();
  const [pod] = served(made).pods;
  assert.deepEqual(
    pod?.ports.map(({ port, bindError }) => [port, bindError?.code]),
    [
      [80, undefined],
      [8080, "conflict"],
    ],
  );
  made.listener.failures.clear();
  for (let second = 0; second < 60; second++) await made.clock.advance(1_000);
  assert.equal(made.listener.open.length, 4);
});

test("ServedService says for which pods no address is left, and serves them when there is one", async () => {
  await using made = makeController([service("db", headless), service("a")], { range: "127.1.0.0/30" });
  made.putSlice(namedSlice("db", "db-0", "db-1", "db-2"));
  await made.start();
  const state = () => {
    const db = made.controller.states.find(({ key }) => key === "team-a/db");
    assert.ok(db?.kind === "tunnel");
    return db;
  };
  const { notice, pods: few } = state();
  assert.match(notice ?? "", /^pod db-\d: Cannot find an address for "team-a\/db\/db-\d": no address is left/);
  assert.equal(few.length, 2);
  made.remove("a");
  for (let second = 0; second < 60; second++) await made.clock.advance(1_000);
  assert.deepEqual([state().notice, state().pods.length], [undefined, 3]);
});

test("ServedService keeps the target ports of a named port while the last pod is replaced", async () => {
  await using made = makeController([service("db", { ...headless, ports: [{ port: 80, targetPort: "sql" }] })]);
  await made.start();
  assert.deepEqual(made.summary(), ["db 80"]);
  made.putSlice(namedSlice("db", "db-0"));
  await made.stable();
  assert.deepEqual(made.summary(), ["db 80,8080"]);
  made.putSlice(namedSlice("db"));
  await made.stable();
  assert.deepEqual([made.summary(), pods(made)], [["db 80,8080"], []]);
  made.put(service("db", { ...headless, ports: [{ port: 80, targetPort: "http" }] }));
  await made.stable();
  assert.deepEqual(made.summary(), ["db 80"]);
});

test("ServedService publishes no name before its ports are open, or known not to open", async () => {
  await using made = makeController([]);
  await made.start();
  const gate = Promise.withResolvers<void>();
  made.listener.gate = gate.promise;
  made.listener.failures.set(80, new LocalizerError("conflict", "The port is taken"));
  made.putSlice(namedSlice("db", "db-0"));
  made.put(service("db", headless));
  made.put(service("cart"));
  await until(() => made.listener.attempts.length > 0);
  await made.clock.advance(1_000);
  assert.deepEqual([made.listener.open, made.writes], [[], []]);
  gate.resolve();
  await until(() => made.writes.length > 0);
  await made.clock.advance(250);
  const names = (made.writes.at(-1) ?? "").split(" ");
  assert.deepEqual(names.toSorted(), ["cart.team-a", "db-0.db.team-a", "db.team-a"]);
  assert.equal(made.listener.open.length, 2);
});

test("Controller.start() waits a moment for bare names, so that one write has them all", async () => {
  const late = lateNames("team-a");
  await using made = makeController([service("cart"), service("web")], { names: late.names });
  late.state.settled = false;
  const start = made.start();
  await turns();
  assert.deepEqual([made.writes, made.summary()], [[], ["cart 80", "web 80"]]);
  late.answer("cart", false);
  late.state.settled = true;
  late.answer("web", true);
  await start;
  assert.deepEqual(
    made.writes.map((line) => line.split(" ").toSorted()),
    [["cart", "web.team-a"]],
  );
});

test("ServedService writes a bare name that is known late, with the same address and listeners", async () => {
  const late = lateNames("team-a");
  await using made = makeController([service("cart"), service("web")], { names: late.names });
  late.state.settled = false;
  const start = made.start();
  await turns();
  await made.clock.advance(250);
  await start;
  assert.deepEqual(made.writes[0]?.split(" ").toSorted(), ["cart.team-a", "web.team-a"]);
  assert.equal(made.controller.isStable, false);
  const { open } = made.listener;
  late.state.settled = true;
  late.answer("cart", false);
  late.answer("web", true);
  await made.stable();
  assert.deepEqual(made.writes.at(-1)?.split(" ").toSorted(), ["cart", "web.team-a"]);
  assert.deepEqual(made.listener.open, open);
  assert.equal(made.listener.attempts.length, 2);
});

test("ServedService computes all names again when the policy says that all may have changed", async () => {
  const late = lateNames("team-a");
  await using made = makeController([service("db", headless)], { names: late.names });
  made.putSlice(namedSlice("db", "db-0"));
  await made.start();
  late.answers.set("db", false);
  await made.stable();
  assert.equal(made.writes.length, 1);
  for (const listener of late.listeners) listener("all");
  await made.stable();
  assert.deepEqual(made.writes.at(-1)?.split(" ").toSorted(), ["db", "db-0.db.team-a"]);
  await made.controller[Symbol.asyncDispose]();
  assert.equal(late.listeners.size, 0);
});
