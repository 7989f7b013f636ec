/** What comes over the wire, cut at every byte, and noise: the same over every carrier. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { codeOf, LocalizerError } from "../../../src/errors.ts";
import { port } from "../../../src/model/port.ts";
import type { PodStream } from "../../../src/portforward/pod-stream.ts";
import { SpdyConnection } from "../../../src/portforward/spdy-connection.ts";
import { type Carrier, carriers } from "../../support/carriers.ts";
import { turns, until } from "../../support/event-loop.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { control, encode, type Frame } from "../../support/spdy-frames.ts";
import { SpdyRuntime } from "../../support/spdy-runtime.ts";

type Incoming = Exclude<Frame, { kind: "syn" }>;

/** Short, for they are cut at every byte. */
const refusedText = "dial: connection refused";
const closedText = 'network namespace for sandbox "x" is closed';

const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(80) };
const data = (streamId: number, text: string, fin = false): Incoming => ({
  kind: "data",
  ...{ streamId, fin, bytes: Buffer.from(text) },
});
const reply = (streamId: number): Incoming => ({ kind: "reply", streamId, fin: false });

/** What a runtime says to the first pair (error stream 1, data stream 3), and what its reader gets. */
const scripts: Readonly<Record<string, { readonly frames: readonly Incoming[]; readonly outcome: string }>> = {
  "an answer": {
    frames: [
      { kind: "ping", id: 2 },
      reply(3),
      reply(1),
      { kind: "ignored", type: 4, payload: Buffer.alloc(5, 1) },
      data(3, "answer"),
      data(3, ""),
      data(3, "!", true),
      data(1, "", true),
    ],
    outcome: "answer!",
  },
  "a refusal": {
    frames: [reply(3), data(3, "", true), data(1, refusedText.slice(0, 9)), data(1, refusedText.slice(9), true)],
    outcome: "refused",
  },
  "a refusal whose text comes first": {
    frames: [data(1, closedText, true), reply(3), data(3, "", true)],
    outcome: "gone",
  },
  "a reset": {
    frames: [reply(1), data(3, "answer"), { kind: "reset", streamId: 3, status: 5 }, { kind: "goaway" }],
    outcome: "answer unavailable",
  },
};

/** A connection on which a stream was opened and has asked. */
async function asked(carrier: Carrier) {
  const { near, far, wire } = carrier.open();
  const clock = new FakeClock();
  const connection = new SpdyConnection(near, Buffer.alloc(0), clock);
  const runtime = new SpdyRuntime(far);
  const stream = connection.openStream(endpoint);
  stream.write("question");
  await runtime.takePair();
  await runtime.takeData(8);
  return { clock, connection, near, runtime, stream, wire };
}

/** Answers the pings, of which one is the runtime's own, sent back; then the connection is as good as new. */
async function provenBy(runtime: SpdyRuntime, connection: SpdyConnection): Promise<void> {
  await until(() => runtime.frames.length === 6);
  const ids = runtime.frames.flatMap((frame) => (frame.kind === "ping" ? frame.id : []));
  assert.deepEqual(ids, [2, 1, 3, 5, 7, 9]);
  runtime.send(...ids.slice(1).map((id) => ({ kind: "ping", id }) as const));
  await until(() => connection.isProven);
  assert.deepEqual([connection.isHealthy, connection.streams, connection.closed.aborted], [true, 0, false]);
}

/** What a reader gets: the text, then the code of the failure. */
async function outcomeOf(stream: PodStream): Promise<string> {
  const parts: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => parts.push(chunk));
  await new Promise<void>((resolve) => {
    if (stream.readableEnded || stream.closed) resolve();
    stream.once("end", resolve);
    stream.once("close", resolve);
  });
  const code = stream.errored === null ? [] : [codeOf(stream.errored)];
  return [...(parts.length > 0 ? [String(Buffer.concat(parts))] : []), ...code].join(" ");
}

for (const [name, carrier] of Object.entries(carriers)) {
  for (const [what, { frames, outcome }] of Object.entries(scripts)) {
    test(`${what} is the same wherever its bytes are cut (${name})`, async () => {
      const all = Buffer.concat(frames.map((frame) => carrier.framed(encode(frame))));
      for (let at = 1; at <= all.length; at++) {
        const { clock, connection, runtime, stream, wire } = await asked(carrier);
        const ended = outcomeOf(stream);
        if (at === all.length) for (const byte of all) wire.write(Buffer.from([byte]));
        else {
          wire.write(all.subarray(0, at));
          await turns(2);
          wire.write(all.subarray(at));
        }
        assert.equal(await ended, outcome, `cut at ${at}`);
        stream.end();
        if (what === "an answer") await provenBy(runtime, connection);
        else await until(() => connection.closed.aborted);
        await connection[Symbol.asyncDispose]();
        assert.equal(clock.pending, 0);
      }
    });
  }

  test(`whatever comes, the connection ends by a LocalizerError and leaves nothing (${name})`, async () => {
    const noise = fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes));
    const nearly = fc
      .tuple(fc.integer({ min: 0, max: 12 }), fc.boolean(), noise)
      .map(([type, fin, payload]) => control(type, fin, payload));
    const known = fc.constantFrom(...Object.values(scripts).flatMap(({ frames }) => frames)).map(encode);
    const steps = fc.array(fc.tuple(fc.oneof(noise, nearly, known), fc.boolean()), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(steps, fc.boolean(), async (pieces, isCut) => {
        const { clock, connection, near, stream, wire } = await asked(carrier);
        const ended = outcomeOf(stream);
        // Framed it is noise within the carrier, else noise instead of it.
        for (const [piece, isFramed] of pieces) wire.write(isFramed ? carrier.framed(piece) : piece);
        if (isCut) wire.destroy();
        else wire.end();
        await Promise.race([ended, turns(300).then(() => assert.fail("it hangs"))]);
        stream.end();
        await turns(10);
        assert.ok(connection.closed.aborted, "it is still open");
        assert.ok(connection.closed.reason instanceof LocalizerError);
        const { errored } = stream;
        assert.ok(errored === null || errored instanceof LocalizerError, String(errored));
        assert.ok(near.destroyed);
        assert.equal(clock.pending, 0);
      }),
      { numRuns: 150 },
    );
  });
}
