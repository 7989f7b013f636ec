import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { turns } from "../../test/support/event-loop.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { closedText, refusedText } from "../../test/support/runtime-texts.ts";
import { LocalizerError } from "../errors.ts";
import { port } from "../model/port.ts";
import { finSilenceMs, PodStream, type StreamCarrier } from "./pod-stream.ts";

const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(80) };

/** A stream whose carrier writes down what it is asked for. */
function streamOf(options: { readonly afterReply?: boolean; wasPaused?: boolean } = {}) {
  const clock = new FakeClock();
  const calls: string[] = [];
  const carrier: StreamCarrier = {
    sendData(_id, chunks, callback) {
      calls.push(`data ${Buffer.concat(chunks)}`);
      callback();
    },
    sendFin: () => calls.push("fin"),
    halfClosed: () => calls.push("half-closed"),
    wasPausedSince: () => options.wasPaused === true,
    finished: () => calls.push("finished"),
    isAlone: true,
    pause: () => calls.push("pause"),
    resume: () => {},
    leave: (id) => calls.push(`leave ${id}`),
  };
  return { clock, calls, stream: new PodStream(carrier, 3, { endpoint, clock, ...options }) };
}

/** How the stream ends for its reader: the text before, and the code if it failed. */
async function ending(stream: PodStream): Promise<{ text: string; code: string | undefined }> {
  const parts: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => parts.push(chunk));
  await new Promise<void>((resolve) => {
    stream.once("end", resolve);
    stream.once("close", resolve);
  });
  const { errored } = stream;
  return {
    text: String(Buffer.concat(parts)),
    code: errored instanceof LocalizerError ? errored.code : errored?.message,
  };
}

test("PodStream ends cleanly when data and error stream end without a text, in either order", async () => {
  for (const ends of [["endData", "endError"] as const, ["endError", "endData"] as const]) {
    const { stream, clock, calls } = streamOf();
    stream.feedData(Buffer.from("answer"));
    for (const end of ends) stream[end]();
    assert.deepEqual(await ending(stream), { text: "answer", code: undefined });
    assert.equal(clock.pending, 0);
    // The pod's end is the end of both halves.
    if (!stream.closed) await once(stream, "close");
    assert.deepEqual(calls, ["leave 3"]);
  }
});

test("PodStream fails with the refusal when the data stream ends before the text comes", async () => {
  const { stream, clock } = streamOf();
  stream.endData();
  stream.feedError(Buffer.from(refusedText.slice(0, 100)));
  stream.feedError(Buffer.from(refusedText.slice(100)));
  stream.endError();
  assert.deepEqual(await ending(stream), { text: "", code: "refused" });
  assert.equal(clock.pending, 0);
});

test("PodStream fails with the refusal when the text comes first", async () => {
  const { stream } = streamOf();
  stream.feedError(Buffer.from(closedText));
  stream.endError();
  stream.endData();
  assert.deepEqual(await ending(stream), { text: "", code: "gone" });
});

test("PodStream waits 250 ms for the error stream after the data stream's end, and ends cleanly then", async () => {
  const { stream, clock } = streamOf();
  const end = ending(stream);
  stream.endData();
  await clock.advance(249);
  await turns();
  assert.equal(stream.readableEnded, false);
  await clock.advance(1);
  assert.deepEqual(await end, { text: "", code: undefined });
});

test("PodStream takes a text for a refusal though the error stream itself does not end", async () => {
  const { stream, clock } = streamOf();
  const end = ending(stream);
  stream.endData();
  stream.feedError(Buffer.from(refusedText));
  await clock.advance(250);
  assert.equal((await end).code, "refused");
});

test("PodStream drops data that comes after the data stream's end", async () => {
  const { stream } = streamOf();
  stream.feedData(Buffer.from("answer"));
  stream.endData();
  stream.feedData(Buffer.from("too late"));
  stream.endError();
  stream.feedData(Buffer.from("much too late"));
  assert.deepEqual(await ending(stream), { text: "answer", code: undefined });
});

test("PodStream holds the FIN back after a half-close until the pod has been silent for 5 s", async () => {
  const { stream, clock, calls } = streamOf();
  stream.end("question");
  await once(stream, "finish");
  await clock.advance(4_000);
  stream.feedData(Buffer.from("answer"));
  await clock.advance(finSilenceMs - 1);
  assert.deepEqual(calls, ["data question", "finished"]);
  await clock.advance(1);
  assert.deepEqual(calls, ["data question", "finished", "fin"]);
  await clock.advance(60_000);
  assert.deepEqual(calls, ["data question", "finished", "fin"]);
  assert.equal(stream.destroyed, false);
});

test("PodStream fails after 2 s without the runtime's word, with nothing sent, and not when that came", async () => {
  for (const isAccepted of [true, false]) {
    const { calls, clock, stream } = streamOf({ afterReply: true });
    stream.write("question");
    await clock.advance(1_999);
    if (isAccepted) stream.replied();
    assert.deepEqual(calls, isAccepted ? ["data question"] : []);
    await clock.advance(1);
    assert.equal(stream.errored instanceof LocalizerError && stream.errored.code, isAccepted ? false : "unavailable");
    assert.equal(stream.isUntouched, !isAccepted);
    stream.destroy();
  }
});

test("PodStream waits on for the runtime's word while a neighbour's slow reader keeps it unread", async () => {
  const options = { afterReply: true, wasPaused: true };
  const { clock, stream } = streamOf(options);
  await clock.advance(10_000);
  assert.equal(stream.destroyed, false);
  options.wasPaused = false;
  await clock.advance(2_000);
  assert.equal(stream.destroyed, true);
});

test("PodStream tells its carrier of a known half-close, behind the last byte", async () => {
  for (const isToldEarly of [true, false]) {
    const { calls, stream } = streamOf();
    stream.write("question");
    if (isToldEarly) stream.localEnded("half-closed");
    stream.end();
    await turns();
    if (!isToldEarly) stream.localEnded("half-closed");
    assert.deepEqual(calls, ["data question", "finished", "half-closed"]);
    stream.localEnded("closed");
    assert.deepEqual(calls.slice(3), ["fin"]);
    stream.destroy();
  }
});

test("PodStream does not count the silence before the half-close", async () => {
  const { stream, clock, calls } = streamOf();
  await clock.advance(finSilenceMs);
  stream.end();
  await once(stream, "finish");
  await clock.advance(finSilenceMs - 1);
  assert.deepEqual(calls, ["finished"]);
  await clock.advance(1);
  assert.deepEqual(calls, ["finished", "fin"]);
});

test("PodStream still brings the answer after its FIN", async () => {
  const { stream, clock } = streamOf();
  stream.end();
  await clock.advance(finSilenceMs);
  stream.feedData(Buffer.from("late answer"));
  stream.endData();
  stream.endError();
  assert.deepEqual(await ending(stream), { text: "late answer", code: undefined });
});

test("PodStream sends neither DATA nor FIN after the pod's FIN", async () => {
  const { stream, clock, calls } = streamOf();
  stream.resume();
  stream.endData();
  await new Promise((resolve) => stream.write("nobody reads this", resolve));
  stream.end("nor this");
  await once(stream, "finish");
  stream.endError();
  await clock.advance(60_000);
  await turns();
  assert.deepEqual(calls, ["leave 3"]);
});

test("PodStream sends no FIN when the pod's comes while its own is held back", async () => {
  const { stream, clock, calls } = streamOf();
  stream.resume();
  stream.end();
  await once(stream, "finish");
  stream.endData();
  await clock.advance(60_000);
  await turns();
  assert.deepEqual(calls, ["finished", "leave 3"]);
});

test("PodStream.destroy() leaves the pair and no timer", async () => {
  const { stream, clock, calls } = streamOf();
  stream.end();
  await once(stream, "finish");
  assert.equal(clock.pending, 1);
  stream.destroy();
  await once(stream, "close");
  assert.deepEqual(calls, ["finished", "leave 3"]);
  assert.equal(clock.pending, 0);
  stream.feedData(Buffer.from("x"));
  stream.feedError(Buffer.from("x"));
  stream.endError();
  stream.endData();
  await turns();
  assert.equal(stream.errored, null);
});

test("PodStream.reset() with REFUSED_STREAM says that nobody got a byte", async () => {
  const { stream } = streamOf();
  stream.reset(3);
  assert.equal((await ending(stream)).code, "refused");
});

test("PodStream.reset() fails the stream with the status, or with the text that came before", async () => {
  const plain = streamOf();
  plain.stream.reset(5);
  assert.ok(plain.stream.errored instanceof LocalizerError);
  assert.equal(plain.stream.errored.code, "unavailable");
  assert.equal(plain.stream.errored.message, "Cannot forward to shop/cart-0:80: the stream was reset (status 5)");
  const explained = streamOf();
  explained.stream.feedError(Buffer.from(closedText));
  explained.stream.reset(5);
  assert.equal((await ending(explained.stream)).code, "gone");
});

test("PodStream asks for a pause when its reader is behind", () => {
  const { stream, calls } = streamOf();
  for (let fed = 0; fed < stream.readableHighWaterMark; fed += 8_192) stream.feedData(Buffer.alloc(8_192));
  assert.deepEqual(calls, ["pause"]);
});

test("PodStream keeps no endless error text", async () => {
  const { stream } = streamOf();
  for (let part = 0; part < 1_000; part++) stream.feedError(Buffer.alloc(1_000, "x"));
  stream.endError();
  await ending(stream);
  assert.ok((stream.errored?.message.length ?? 0) < 6_000);
});
