import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ClientFrames, closeFrame, serverFrame } from "../../test/support/websocket-peer.ts";
import { encodeFrame, opcode, WebSocketError, WebSocketReader } from "./websocket-frames.ts";

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

/** What a reader makes of the chunks: `message` and `end` around payloads, in one text each. */
function readAll(chunks: readonly Buffer[]): string[] {
  const seen: string[] = [];
  let message: Buffer[] | undefined;
  const reader = new WebSocketReader({
    onMessage: () => {
      message = [];
    },
    onPayload: (part) => {
      assert.ok(part.length > 0);
      message?.push(Buffer.from(part));
    },
    onMessageEnd: () => void seen.push(`message ${Buffer.concat(message ?? []).toString("hex")}`),
    onPing: (payload) => void seen.push(`ping ${payload.toString("hex")}`),
    onPong: (payload) => void seen.push(`pong ${payload.toString("hex")}`),
    onClose: (code, reason) => void seen.push(`close ${code} ${reason}`),
  });
  for (const chunk of chunks) reader.push(chunk);
  return seen;
}

/** The bytes in pieces of these sizes, in turn. */
function cut(whole: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, turn = 0; at < whole.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    pieces.push(whole.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

test("encodeFrame() masks so that a server reads what was written, and leaves that alone", () => {
  fc.assert(
    fc.property(fc.array(bytes(300), { maxLength: 5 }), fc.uint8Array({ minLength: 4, maxLength: 4 }), (parts, key) => {
      const before = parts.map((part) => part.toString("hex"));
      const frames = new ClientFrames().push(encodeFrame(opcode.binary, parts, key));
      assert.deepEqual(frames, [
        { fin: true, opcode: 2, payload: Buffer.concat(parts), key: Buffer.from(key).toString("hex") },
      ]);
      assert.deepEqual(
        parts.map((part) => part.toString("hex")),
        before,
      );
    }),
  );
});

test("encodeFrame() writes every form of length", () => {
  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 70_001]) {
    const payload = Buffer.from(Array.from({ length }, (_, index) => index % 251));
    const frame = encodeFrame(opcode.binary, [payload], Buffer.from("a1b2c3d4", "hex"));
    assert.equal(frame.length, length + (length < 126 ? 6 : length < 65_536 ? 8 : 14));
    assert.ok(new ClientFrames().push(frame)[0]?.payload.equals(payload), `${length} bytes`);
  }
});

test("WebSocketReader reads messages in any fragments and chunks, with control frames in between", () => {
  const message = fc.array(bytes(200), { minLength: 1, maxLength: 4 });
  const control = fc.record({ code: fc.constantFrom(9, 10), payload: bytes(125) });
  const story = fc.array(fc.record({ message, controls: fc.array(control, { maxLength: 4 }) }), { maxLength: 6 });
  fc.assert(
    fc.property(story, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 }), (parts, sizes) => {
      const sent: Buffer[] = [];
      const expected: string[] = [];
      for (const { message: fragments, controls } of parts) {
        fragments.forEach((fragment, index) => {
          sent.push(serverFrame(index === 0 ? 2 : 0, fragment, index === fragments.length - 1));
          const extra = index < fragments.length - 1 ? controls[index] : undefined;
          if (extra === undefined) return;
          sent.push(serverFrame(extra.code, extra.payload));
          expected.push(`${extra.code === 9 ? "ping" : "pong"} ${extra.payload.toString("hex")}`);
        });
        expected.push(`message ${Buffer.concat(fragments).toString("hex")}`);
      }
      assert.deepEqual(readAll(cut(Buffer.concat(sent), sizes)), expected);
    }),
  );
});

test("WebSocketReader reads frames that are split at every byte", () => {
  const sent = Buffer.concat([
    serverFrame(2, Buffer.from("one"), false),
    serverFrame(9, Buffer.from("still there?")),
    serverFrame(0, Buffer.alloc(0)),
    serverFrame(2, Buffer.alloc(200, "x")),
    serverFrame(2, Buffer.alloc(66_000, "y")),
    closeFrame(1000, "bye"),
  ]);
  const whole = readAll([sent]);
  assert.equal(whole.length, 5);
  assert.deepEqual(readAll(cut(sent, [1])), whole);
  for (let at = 1; at < 300; at++) assert.deepEqual(readAll([sent.subarray(0, at), sent.subarray(at)]), whole);
});

test("WebSocketReader tells a close with a code, without one, and reads nothing behind it", () => {
  const behind = serverFrame(2, Buffer.from("too late"));
  assert.deepEqual(readAll([closeFrame(1011, "broken"), behind]), ["close 1011 broken"]);
  assert.deepEqual(readAll([Buffer.concat([serverFrame(8, Buffer.alloc(0)), behind])]), ["close 1005 "]);
});

const wrong: Readonly<Record<string, Buffer>> = {
  "a text message": serverFrame(1, Buffer.from("hello")),
  "an empty text message": serverFrame(1, Buffer.alloc(0)),
  "a data frame of a kind unknown": serverFrame(3, Buffer.alloc(1)),
  "a control frame of a kind unknown": serverFrame(11, Buffer.alloc(0)),
  "a masked frame": Buffer.from("8281000000001f", "hex"),
  "a compressed frame": Buffer.from("c20100", "hex"),
  "the rest of no message": serverFrame(0, Buffer.from("x")),
  "a message within a message": Buffer.concat([
    serverFrame(2, Buffer.from("x"), false),
    serverFrame(2, Buffer.from("y")),
  ]),
  "a ping in parts": serverFrame(9, Buffer.from("x"), false),
  "a ping of 126 bytes": serverFrame(9, Buffer.alloc(126)),
  "half a close code": serverFrame(8, Buffer.from([3])),
  "64 MiB and one byte": Buffer.from("827f0000000004000001", "hex"),
  "2^63 bytes": Buffer.from("827f8000000000000000", "hex"),
};
for (const [name, frame] of Object.entries(wrong)) {
  test(`WebSocketReader refuses ${name}, whole and byte by byte`, () => {
    assert.throws(() => readAll([frame]), WebSocketError);
    assert.throws(() => readAll(cut(frame, [1])), WebSocketError);
  });
}

test("WebSocketReader throws nothing but WebSocketError at noise", () => {
  fc.assert(
    fc.property(bytes(400), (noise) => {
      try {
        readAll([noise]);
      } catch (error) {
        assert.ok(error instanceof WebSocketError, String(error));
      }
    }),
  );
});
