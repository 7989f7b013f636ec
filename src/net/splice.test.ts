import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { tcpPair } from "../../test/support/tcp-pair.ts";
import { systemClock as clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { splice } from "./splice.ts";

/** A far side that the test plays by hand. */
class Far extends Duplex {
  readonly got: Buffer[] = [];
  #release: (() => void) | undefined;
  blocked = false;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.got.push(chunk);
    if (this.blocked) this.#release = callback;
    else callback();
  }

  override _final(callback: () => void): void {
    this.emit("far-final");
    callback();
  }

  unblock(): void {
    this.blocked = false;
    this.#release?.();
  }
}

const event = (emitter: NodeJS.EventEmitter, name: string) =>
  new Promise<unknown>((resolve) => emitter.once(name, (value: unknown) => resolve(value)));

test("splice() carries bytes both ways and counts them, while they pass in the counts that it was given", async () => {
  await using pair = await tcpPair();
  const far = new Far();
  // As another connection has left them.
  const counts = { bytesUp: 100, bytesDown: 200 };
  const done = splice(pair.local, far, { clock, counts });
  pair.app.write("hello");
  far.push("good day");
  assert.equal(String(await event(pair.app, "data")), "good day");
  assert.equal(counts.bytesDown, 208);
  far.push(null);
  await event(pair.app, "end");
  pair.app.end();
  const { bytesUp, bytesDown, error } = await done;
  assert.equal(Buffer.concat(far.got).toString(), "hello");
  assert.deepEqual({ bytesUp, bytesDown, error }, { bytesUp: 5, bytesDown: 8, error: undefined });
  assert.deepEqual(counts, { bytesUp: 105, bytesDown: 208 });
});

test("splice() passes a local half-close on and still brings the answer", async () => {
  await using pair = await tcpPair();
  const far = new Far();
  const done = splice(pair.local, far, { clock });
  const final = event(far, "far-final");
  pair.app.end("question");
  await final;
  far.push("answer");
  far.push(null);
  const chunks: Buffer[] = [];
  for await (const chunk of pair.app) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), "answer");
  assert.equal((await done).error, undefined);
});

test("splice() resets the local side when the far side fails, and says why", async () => {
  await using pair = await tcpPair();
  const far = new Far();
  const done = splice(pair.local, far, { clock });
  const failure = event(pair.app, "error");
  pair.app.resume();
  far.destroy(new LocalizerError("refused", "nobody there"));
  assert.equal(Reflect.get(Object(await failure), "code"), "ECONNRESET");
  assert.equal((await done).error?.code, "refused");
});

test("splice() resets the local side when the far side had failed before", async () => {
  await using pair = await tcpPair();
  const far = new Far();
  far.on("error", () => {});
  far.destroy(new LocalizerError("gone", "too late"));
  await event(far, "close");
  pair.app.resume();
  const failure = event(pair.app, "error");
  assert.equal((await splice(pair.local, far, { clock })).error?.code, "gone");
  assert.equal(Reflect.get(Object(await failure), "code"), "ECONNRESET");
});

test("splice() destroys the far side when the local side is reset", async () => {
  await using pair = await tcpPair();
  const far = new Far();
  const done = splice(pair.local, far, { clock });
  pair.app.resetAndDestroy();
  assert.equal((await done).error, undefined);
  assert.equal(far.destroyed, true);
});

test("splice() stops reading the local side while the far side is full", async () => {
  await using pair = await tcpPair();
  const far = new Far();
  far.blocked = true;
  const done = splice(pair.local, far, { clock });
  const total = 64 * 1024 * 1024;
  pair.app.write(Buffer.alloc(total));
  await event(pair.local, "pause");
  assert.ok(pair.local.bytesRead < total / 2, `${pair.local.bytesRead} bytes read of ${total}`);
  assert.ok(far.writableLength <= 256 * 1024, `${far.writableLength} bytes queued`);
  far.unblock();
  pair.app.resetAndDestroy();
  await done;
});

test("splice() breaks both sides off when the signal fires and leaves no listener", async () => {
  await using pair = await tcpPair();
  const far = new Far();
  const controller = new AbortController();
  pair.app.resume();
  const failure = event(pair.app, "error");
  const done = splice(pair.local, far, { clock, signal: controller.signal });
  controller.abort();
  await done;
  assert.equal(far.destroyed, true);
  assert.equal(Reflect.get(Object(await failure), "code"), "ECONNRESET");
});

test("splice() drops what comes after the far side's end and closes with the local side", async () => {
  await using pair = await tcpPair();
  const far = new Far();
  const done = splice(pair.local, far, { clock });
  far.push(null);
  pair.app.resume();
  await event(pair.app, "end");
  pair.app.end("too late");
  assert.equal((await done).error, undefined);
});

test("splice() closes a local side that lingers after the far side's end", async () => {
  await using pair = await tcpPair();
  const far = new Far();
  let fire = () => {};
  const done = splice(pair.local, far, {
    clock: {
      ...clock,
      after(ms, run) {
        assert.equal(ms, 30_000);
        fire = run;
        return { [Symbol.dispose]() {} };
      },
    },
  });
  far.push(null);
  pair.app.resume();
  await event(pair.app, "end");
  fire();
  assert.equal((await done).error, undefined);
});

test("splice() brings a slow reader everything, however long it takes after the far side's end", async () => {
  await using pair = await tcpPair();
  const far = new Far();
  const timers: number[] = [];
  const done = splice(pair.local, far, {
    clock: {
      ...clock,
      after(ms) {
        timers.push(ms);
        return { [Symbol.dispose]() {} };
      },
    },
  });
  const total = 16 * 1024 * 1024;
  far.push(Buffer.alloc(total));
  far.push(null);
  await event(far, "end");
  // Node holds what the kernel did not take, and nobody reads: the clock for lingerers must not run yet.
  assert.ok(pair.local.writableLength > 0);
  assert.deepEqual(timers, []);
  let got = 0;
  for await (const chunk of pair.app) got += chunk.length;
  assert.equal(got, total);
  assert.deepEqual(timers, [30_000]);
  pair.app.end();
  assert.equal((await done).bytesDown, total);
});

test("splice() ends both sides when one was closed before", async () => {
  await using first = await tcpPair();
  const far = new Far();
  first.local.destroy();
  await event(first.local, "close");
  assert.deepEqual(await splice(first.local, far, { clock }), { bytesUp: 0, bytesDown: 0, error: undefined });
  assert.equal(far.destroyed, true);

  await using second = await tcpPair();
  const gone = new Far();
  gone.destroy();
  await event(gone, "close");
  second.app.resume();
  const failure = event(second.app, "error");
  await splice(second.local, gone, { clock });
  assert.equal(Reflect.get(Object(await failure), "code"), "ECONNRESET");
});

test("splice() passes on the end of a far side that had ended before, with both halves or with one", async () => {
  for (const allowHalfOpen of [true, false]) {
    await using pair = await tcpPair();
    const far = new Far({ allowHalfOpen });
    far.push(null);
    await event(far.resume(), "end");
    if (!allowHalfOpen && !far.closed) await event(far, "close");
    const done = splice(pair.local, far, { clock });
    pair.app.resume();
    await event(pair.app, "end");
    pair.app.end();
    assert.equal((await done).error, undefined);
  }
});

test("splice() still ends the far side when the local one has ended before", async () => {
  await using pair = await tcpPair();
  pair.app.end();
  await event(pair.local.resume(), "end");
  const far = new Far();
  const final = event(far, "far-final");
  const done = splice(pair.local, far, { clock });
  await final;
  far.push("answer");
  far.push(null);
  assert.equal(String(await event(pair.app, "data")), "answer");
  assert.equal((await done).error, undefined);
});

test("splice() stops reading the far side while the local one is full", async () => {
  await using pair = await tcpPair();
  let sent = 0;
  const block = Buffer.alloc(64 * 1024);
  const far = new Duplex({
    read() {
      sent += block.length;
      this.push(block);
    },
    write: (_chunk, _encoding, callback) => callback(),
  });
  const done = splice(pair.local, far, { clock });
  await event(far, "pause");
  const atPause = sent;
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(sent <= atPause + 2 * block.length, `${sent - atPause} bytes more were read`);
  assert.ok(pair.local.writableLength <= 4 * block.length, `${pair.local.writableLength} bytes queued`);
  pair.app.resetAndDestroy();
  await done;
});
