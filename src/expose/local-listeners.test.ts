import assert from "node:assert/strict";
import { test } from "node:test";
import { finished, keptLines } from "../../test/support/expose-lab.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { port } from "../model/port.ts";
import { localListeners } from "./local-listeners.ts";

const { signal } = new AbortController();

/** Ports on which somebody listens when so much time has passed; never without a number. */
function listening(clock: FakeClock, ports: Readonly<Record<number, number | undefined>>) {
  const began = clock.monotonic();
  return Object.entries(ports).map(([local, afterMs]) => ({
    local: port(Number(local)),
    isListening: async () => afterMs !== undefined && clock.monotonic() - began >= afterMs,
  }));
}

const warning = (names: string) => ({
  level: "warn",
  step: "local",
  message: `Nothing listens on ${names} yet: what comes there is refused until something does`,
});

test("localListeners() goes on at once, and names all ports where nobody listens in one line", async () => {
  const clock = new FakeClock();
  const { report, lines } = keptLines();
  const sides = listening(clock, { 8080: undefined, 8081: 0, 9090: undefined });
  await localListeners(clock, [...sides, ...sides], { isAwaited: false })({ signal, report });
  assert.deepEqual([lines, clock.pending], [[warning("localhost:8080 and localhost:9090")], 0]);
});

test("localListeners() says nothing when somebody listens on all of them", async () => {
  for (const isAwaited of [false, true]) {
    const clock = new FakeClock();
    const { report, lines } = keptLines();
    await localListeners(clock, listening(clock, { 8080: 0, 9090: 0 }), { isAwaited })({ signal, report });
    assert.deepEqual([lines, clock.pending], [[], 0]);
  }
});

test("localListeners() waits until somebody listens on all that are awaited", async () => {
  const clock = new FakeClock();
  const { report, lines } = keptLines();
  const began = clock.monotonic();
  const sides = listening(clock, { 8080: 1_000, 9090: 30_000 });
  await finished(clock, localListeners(clock, sides, { isAwaited: true })({ signal, report }));
  assert.equal(clock.monotonic() - began, 30_000);
  assert.deepEqual(lines, [{ level: "info", step: "local", message: "Waiting for localhost:8080 and localhost:9090" }]);
});

test("localListeners() waits 60 s at most, over all calls, then warns and is done", async () => {
  const clock = new FakeClock();
  const { report, lines } = keptLines();
  const began = clock.monotonic();
  const step = localListeners(clock, listening(clock, { 8080: undefined }), { isAwaited: true });
  const lost = new AbortController();
  const first = assert.rejects(step({ signal: lost.signal, report }), { code: "aborted" });
  await clock.asleep();
  await clock.advance(20_000);
  lost.abort();
  await first;
  await finished(clock, step({ signal, report }));
  await step({ signal, report });
  assert.equal(clock.monotonic() - began, 60_000);
  assert.deepEqual(lines, [
    ...Array(2).fill({ level: "info", step: "local", message: "Waiting for localhost:8080" }),
    warning("localhost:8080"),
  ]);
  assert.equal(clock.pending, 0);
});

test("localListeners() asks those that listen no more, for a server may take one connection only", async () => {
  const clock = new FakeClock();
  const { report } = keptLines();
  const asked: number[] = [];
  const sides = listening(clock, { 8080: 0, 9090: 400 }).map(({ local, isListening }) => ({
    local,
    isListening: () => isListening().finally(() => asked.push(local)),
  }));
  const step = localListeners(clock, sides, { isAwaited: true });
  await finished(clock, step({ signal, report }));
  await step({ signal, report });
  assert.deepEqual(asked, [8080, 9090, 9090, 9090]);
});
