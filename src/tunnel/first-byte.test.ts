import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { turns, until } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { tcpPair } from "../../test/support/tcp-pair.ts";
import { type ErrorCode, LocalizerError } from "../errors.ts";
import { SaidSoFar, untilFirstByte } from "./first-byte.ts";

const never = new AbortController().signal;
const calm = { signal: never, clock: new FakeClock(), peerEnd: undefined };

/** A pod's channel, played by hand; like a PodStream, its end is the end. */
class Pod extends Duplex {
  got = "";
  gotEnd = false;
  isBlocked = false;
  #release: (() => void) | undefined;

  constructor() {
    super({ allowHalfOpen: false });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.got += chunk.toString("latin1");
    if (this.isBlocked) this.#release = callback;
    else callback();
  }

  override _final(callback: () => void): void {
    this.gotEnd = true;
    callback();
  }

  fail(code: ErrorCode): void {
    this.destroy(new LocalizerError(code, `It is ${code}`));
  }

  unblock(): void {
    this.isBlocked = false;
    this.#release?.();
  }
}

/** How many there are by event, less so many for errors. */
function listeners(stream: Duplex, errors = 0): readonly number[] {
  const names = ["data", "readable", "end", "drain", "close"];
  return [stream.listenerCount("error") - errors, ...names.map((name) => stream.listenerCount(name))];
}

async function isSaid(app: Socket, pod: Pod, text: string): Promise<void> {
  app.write(text);
  await until(() => pod.got.endsWith(text));
}

test("untilFirstByte() leaves the answer unread, the caller paused and no listener when the pod answers", async () => {
  await using pair = await tcpPair();
  const pod = new Pod();
  const before = [...listeners(pair.local), ...listeners(pod)];
  const taken = untilFirstByte(pair.local, pod, new SaidSoFar(), calm);
  await isSaid(pair.app, pod, "question");
  pod.push("answer");
  assert.deepEqual(await taken, { kind: "answered" });
  assert.deepEqual([...listeners(pair.local), ...listeners(pod, 1)], before);
  assert.ok(pair.local.isPaused());
  assert.equal(String((await once(pod, "data"))[0]), "answer");
});

test("untilFirstByte() gives the next pod all that the caller said, and his end", async () => {
  for (const code of ["refused", "gone"] as const) {
    await using pair = await tcpPair();
    const said = new SaidSoFar();
    const [first, second] = [new Pod(), new Pod()];
    const failed = untilFirstByte(pair.local, first, said, calm);
    await isSaid(pair.app, first, "ques");
    pair.app.end("tion");
    await until(() => first.gotEnd);
    first.fail(code);
    const outcome = await failed;
    assert.deepEqual([outcome.kind, outcome.kind === "failed" && outcome.mayReplay], ["failed", true]);
    const taken = untilFirstByte(pair.local, second, said, calm);
    await until(() => second.gotEnd);
    assert.equal(second.got, "question");
    second.push("answer");
    assert.equal((await taken).kind, "answered");
  }
});

test("untilFirstByte() goes on reading the caller for the next pod", async () => {
  await using pair = await tcpPair();
  const said = new SaidSoFar();
  const [first, second] = [new Pod(), new Pod()];
  const failed = untilFirstByte(pair.local, first, said, calm);
  await isSaid(pair.app, first, "ques");
  first.fail("refused");
  await failed;
  pair.app.write("ti");
  const taken = untilFirstByte(pair.local, second, said, calm);
  await until(() => second.got === "questi");
  await isSaid(pair.app, second, "on");
  assert.equal(second.got, "question");
  second.push("answer");
  assert.equal((await taken).kind, "answered");
});

test("untilFirstByte() allows no replay when bytes may have been delivered", async () => {
  const said = async (code: ErrorCode, text: string) => {
    await using pair = await tcpPair();
    const pod = new Pod();
    const failed = untilFirstByte(pair.local, pod, new SaidSoFar(), calm);
    if (text !== "") await isSaid(pair.app, pod, text);
    pod.fail(code);
    const outcome = await failed;
    return outcome.kind === "failed" && outcome.mayReplay;
  };
  const codes = ["unavailable", "timeout", "internal", "refused", "gone"] as const;
  assert.deepEqual(await Promise.all(codes.map((code) => said(code, "POST"))), [false, false, false, true, true]);
  assert.deepEqual(await Promise.all(codes.map((code) => said(code, ""))), [true, true, false, true, true]);
});

test("untilFirstByte() allows no replay when the pod's first byte came just before its failure", async () => {
  await using pair = await tcpPair();
  const pod = new Pod();
  const failed = untilFirstByte(pair.local, pod, new SaidSoFar(), calm);
  pod.push("answer");
  pod.fail("gone");
  const outcome = await failed;
  assert.deepEqual([outcome.kind, outcome.kind === "failed" && outcome.mayReplay], ["failed", false]);
});

test("untilFirstByte() keeps 64 KiB and allows no replay of more", async () => {
  for (const [bytes, mayReplay] of [
    [64 * 1024, true],
    [64 * 1024 + 1, false],
  ] as const) {
    await using pair = await tcpPair();
    const pod = new Pod();
    const said = new SaidSoFar();
    const failed = untilFirstByte(pair.local, pod, said, calm);
    pair.app.write(Buffer.alloc(bytes, "x"));
    await until(() => pod.got.length === bytes);
    pod.fail("refused");
    const outcome = await failed;
    assert.deepEqual(outcome.kind === "failed" && outcome.mayReplay, mayReplay);
    assert.equal(said.kept.length, mayReplay ? bytes : 0);
  }
});

test("untilFirstByte() stops reading the caller while the pod takes no more, and goes on when it does", async () => {
  await using pair = await tcpPair();
  const pod = new Pod();
  pod.isBlocked = true;
  const taken = untilFirstByte(pair.local, pod, new SaidSoFar(), calm);
  const total = 16 * 1024 * 1024;
  pair.app.write(Buffer.alloc(total, "x"));
  await once(pair.local, "pause");
  await turns(50);
  assert.ok(pair.local.bytesRead < total / 4, `${pair.local.bytesRead} bytes read`);
  assert.ok(pod.writableLength <= 256 * 1024, `${pod.writableLength} bytes queued`);
  pod.unblock();
  await until(() => pod.got.length === total);
  pod.push("answer");
  assert.equal((await taken).kind, "answered");
});

test("untilFirstByte() takes an end without an answer for a failure only when something was said and not ended", async () => {
  const outcome = async (say: (app: Socket) => void, isReceived: (pod: Pod) => boolean) => {
    await using pair = await tcpPair();
    const pod = new Pod();
    const taken = untilFirstByte(pair.local, pod, new SaidSoFar(), calm);
    say(pair.app);
    await until(() => isReceived(pod));
    pod.push(null);
    const result = await taken;
    return result.kind === "failed" ? `${result.error.code} ${result.mayReplay}` : result.kind;
  };
  assert.equal(
    await outcome(
      () => {},
      () => true,
    ),
    "answered",
  );
  assert.equal(
    await outcome(
      (app) => app.write("POST"),
      (pod) => pod.got === "POST",
    ),
    "unavailable false",
  );
  assert.equal(
    await outcome(
      (app) => app.end("line"),
      (pod) => pod.gotEnd,
    ),
    "answered",
  );
});

test("untilFirstByte() closes the pod's channel when the caller breaks off or the signal fires", async () => {
  await using reset = await tcpPair();
  const first = new Pod();
  const left = untilFirstByte(reset.local, first, new SaidSoFar(), calm);
  reset.app.resetAndDestroy();
  assert.deepEqual([await left, first.destroyed], [{ kind: "left" }, true]);

  await using stopped = await tcpPair();
  const second = new Pod();
  const stop = new AbortController();
  const before = listeners(stopped.local);
  const aborted = untilFirstByte(stopped.local, second, new SaidSoFar(), { ...calm, signal: stop.signal });
  stop.abort();
  assert.deepEqual([await aborted, second.destroyed], [{ kind: "left" }, true]);
  assert.deepEqual(listeners(stopped.local), before);
});

test("untilFirstByte() keeps a failure right after the first byte from being thrown, for whoever splices", async () => {
  await using pair = await tcpPair();
  const pod = new Pod();
  const taken = untilFirstByte(pair.local, pod, new SaidSoFar(), calm);
  pod.push("answer");
  pod.once("readable", () => pod.fail("unavailable"));
  await taken;
  await turns(1);
  assert.ok(pod.errored !== null);
});

test("untilFirstByte() sees what happened before it was called", async () => {
  await using pair = await tcpPair();
  const [failed, ended, unused] = [new Pod(), new Pod(), new Pod()];
  failed.on("error", () => {}).fail("refused");
  ended.push(null);
  ended.resume();
  await until(() => failed.closed && ended.readableEnded);
  const said = new SaidSoFar();
  assert.equal((await untilFirstByte(pair.local, failed, said, calm)).kind, "failed");
  assert.equal((await untilFirstByte(pair.local, ended, said, calm)).kind, "answered");
  pair.local.destroy();
  assert.deepEqual([await untilFirstByte(pair.local, unused, said, calm), unused.destroyed], [{ kind: "left" }, true]);
});
