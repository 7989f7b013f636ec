import assert from "node:assert/strict";
import { test } from "node:test";
import { duplexPair } from "../../test/support/duplex-pair.ts";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { LocalizerError } from "../errors.ts";
import { Logger } from "../log.ts";
import type { PodRef } from "../model/endpoint.ts";
import { port } from "../model/port.ts";
import { PortForwardHealth } from "./port-forward-health.ts";

const pod = { namespace: "shop", name: "cart-0", uid: "u1" };
const endpoint = { pod, port: port(80) };
const denied = new LocalizerError("denied", "pods is forbidden");
const gone = new LocalizerError("gone", "The pod is gone");
const { signal: never } = new AbortController();

const bank = { namespace: "bank", name: "ledger-1", uid: "u2" };

/** What a controller has ready. */
function ready(...pods: readonly PodRef[]): () => ReadonlyMap<string, PodRef> {
  return () => new Map(pods.map((one) => [one.namespace, one]));
}

/** A watched dialer that gives these outcomes, in turn. */
function watched(...outcomes: readonly (LocalizerError | "works")[]) {
  const health = new PortForwardHealth(new FakeClock());
  const left = [...outcomes];
  const dial = health.watch(async () => {
    const outcome = left.shift();
    if (outcome instanceof LocalizerError) throw outcome;
    return duplexPair().near;
  });
  return { health, dial };
}

test("PortForwardHealth knows nothing before the first connection", () => {
  const { health } = watched();
  assert.deepEqual([health.worksIn(pod.namespace), health.deniedIn(pod.namespace)], [false, undefined]);
});

test("PortForwardHealth.watch() hands the dialer's outcome through", async () => {
  const { health, dial } = watched("works", gone);
  const stream = await dial(endpoint, never);
  assert.ok(stream.writable);
  await assert.rejects(dial(endpoint, never), gone);
  assert.equal(health.worksIn(pod.namespace), true);
});

test("PortForwardHealth works from the first upgrade on, and remembers a refusal until one in that namespace succeeds", async () => {
  const { health, dial } = watched("works", denied, gone, "works");
  const seen: unknown[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    await dial(endpoint, never).catch(() => {});
    seen.push([health.worksIn(pod.namespace), health.deniedIn(pod.namespace)?.code]);
  }
  assert.deepEqual(seen, [
    [true, undefined],
    [false, "denied"],
    [false, "denied"],
    [true, undefined],
  ]);
});

test("PortForwardHealth takes no other failure for an answer", async () => {
  const { health, dial } = watched(gone);
  await assert.rejects(dial(endpoint, never), gone);
  assert.deepEqual([health.worksIn(pod.namespace), health.deniedIn(pod.namespace)], [false, undefined]);
});

test("PortForwardHealth takes a lost login for the refusal of every namespace, until one attempt is known again", async () => {
  const loggedOut = new LocalizerError("unauthenticated", "The API server does not know you");
  const { health, dial } = watched(loggedOut, denied, loggedOut, "works");
  const seen: unknown[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    await dial(endpoint, never).catch(() => {});
    seen.push([health.deniedIn(pod.namespace)?.code, health.deniedIn("bank")?.code]);
  }
  assert.deepEqual(seen, [
    ["unauthenticated", "unauthenticated"],
    ["denied", undefined],
    ["unauthenticated", "unauthenticated"],
    [undefined, undefined],
  ]);
});

test("PortForwardHealth.reset() forgets that it worked, and probes every namespace at once", async () => {
  const clock = new FakeClock();
  const health = new PortForwardHealth(clock);
  const probed: string[] = [];
  let refuse = false;
  await using _probing = health.keepProbing(ready(pod, bank), async ({ name }) => {
    probed.push(name);
    if (refuse) throw denied;
  });
  const dial = health.watch(() => Promise.reject(denied));
  await turns();
  await assert.rejects(dial({ ...endpoint, pod: bank }, never), denied);
  await turns();
  refuse = true;
  health.reset();
  assert.equal(health.worksIn(pod.namespace), false);
  await turns();
  assert.deepEqual(probed, ["cart-0", "ledger-1", "ledger-1", "cart-0"]);
  assert.deepEqual(
    [health.worksIn(pod.namespace), health.deniedIn("shop")?.code, health.deniedIn("bank")?.code],
    [false, "denied", "denied"],
  );
  refuse = false;
  health.reset();
  await turns();
  assert.deepEqual(
    [health.worksIn(pod.namespace), health.deniedIn("shop"), health.deniedIn("bank")],
    [true, undefined, undefined],
  );
});

test("PortForwardHealth.reset() lets no attempt count that was made with the old credentials", async () => {
  const health = new PortForwardHealth(new FakeClock());
  const answer = Promise.withResolvers<void>();
  const dial = health.watch(async () => {
    await answer.promise;
    return duplexPair().near;
  });
  const dialling = dial(endpoint, never);
  health.reset();
  answer.resolve();
  await dialling;
  assert.equal(health.worksIn(pod.namespace), false);
});

test("PortForwardHealth keeps a refusal to its namespace", async () => {
  const { health, dial } = watched("works", denied);
  await dial(endpoint, never);
  await assert.rejects(dial({ pod: { ...pod, namespace: "bank" }, port: port(80) }, never), denied);
  assert.equal(health.deniedIn("bank"), denied);
  assert.deepEqual([health.worksIn(pod.namespace), health.deniedIn("shop")], [true, undefined]);
});

test("PortForwardHealth says a refusal in short, and in the server's words once in the log", async () => {
  const said = 'pods "cart-0" is forbidden: User "joe" cannot create resource "pods/portforward" in API group ""';
  const lines: unknown[] = [];
  const log = new Logger(({ level, fields }) => lines.push([level, fields.namespace, String(fields.error)]));
  const health = new PortForwardHealth(new FakeClock(), log);
  const dial = health.watch(() => Promise.reject(new LocalizerError("denied", said)));
  for (let attempt = 0; attempt < 2; attempt++) await assert.rejects(dial(endpoint, never), { message: said });
  assert.equal(health.deniedIn("shop")?.message, 'You cannot create resource "pods/portforward" in "shop"');
  assert.deepEqual(lines, [["warn", "shop", `LocalizerError: ${said}`]]);
});
