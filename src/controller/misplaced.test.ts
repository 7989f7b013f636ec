import assert from "node:assert/strict";
import { test } from "node:test";
import { makeController, namedSlice, plainPolicy, service } from "../../test/support/controller-setup.ts";
import type { ServiceKey } from "../model/service-key.ts";

const headless = { clusterIP: "None", ports: [{ port: 80, targetPort: 8080 }] };

/** The only service, which has a tunnel. */
function served(made: ReturnType<typeof makeController>) {
  const [state] = made.controller.states;
  assert.ok(state?.kind === "tunnel");
  return state;
}

/** A policy whose names are somebody's as the test says. */
function liveNames() {
  const listeners = new Set<(changed: ServiceKey | "all") => void>();
  const taken = new Set<string>();
  const names = {
    ...plainPolicy,
    taken,
    onChange: (listener: (changed: ServiceKey | "all") => void) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => listeners.delete(listener) };
    },
  };
  const tell = () => {
    for (const listener of listeners) listener("all");
  };
  return { taken, names, tell };
}

test("Controller moves a service whose address has become somebody's, with its line and its ports, and no other", async () => {
  const { names, tell } = liveNames();
  const taken = new Set<string>();
  await using made = makeController([service("cart"), service("web")], { names, taken });
  await made.start();
  const addresses = () => made.controller.states.map((state) => (state.kind === "tunnel" ? state.address : state.kind));
  const [cart, web] = addresses();
  taken.add(String(cart));
  tell();
  await made.stable();
  const [moved, stayed] = addresses();
  assert.ok(moved !== cart && stayed === web);
  assert.deepEqual(made.listener.open.toSorted(), [`${moved}:80`, `${web}:80`].toSorted());
  assert.deepEqual(made.released, [cart]);
  assert.equal(made.writes.at(-1)?.split(" ").length, 2);
  taken.clear();
  tell();
  await made.stable();
  assert.deepEqual(addresses(), [moved, web]);
});

test("Controller moves a pod whose address has become somebody's, and leaves its service where it is", async () => {
  const { names, tell } = liveNames();
  const taken = new Set<string>();
  await using made = makeController([service("db", headless)], { names, taken });
  made.putSlice(namedSlice("db", "db-0"));
  await made.start();
  const before = served(made);
  taken.add(String(before.pods[0]?.address));
  tell();
  await made.stable();
  const after = served(made);
  assert.equal(after.address, before.address);
  assert.ok(after.pods[0] !== undefined && after.pods[0].address !== before.pods[0]?.address);
});

test("Controller takes a name back that has become somebody's, and gives it again when it is free", async () => {
  const { names, tell, taken } = liveNames();
  await using made = makeController([service("cart")], { names });
  await made.start();
  const before = served(made).names.names;
  taken.add("cart.team-a");
  tell();
  await made.stable();
  assert.deepEqual([served(made).names.names, served(made).names.skipped.length], [before.slice(0, -1), 1]);
  taken.clear();
  tell();
  await made.stable();
  assert.deepEqual(served(made).names.names, before);
});
