import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { constants, createInflate } from "node:zlib";
import fc from "fast-check";
import { control, encode, type Frame, FrameDecoder, nameValues } from "../../test/support/spdy-frames.ts";
import { FrameError, type FrameHandler, FrameReader, FrameWriter, maxDataPayload } from "./frames.ts";

const headers = [
  ["streamtype", "error"],
  ["port", "80"],
  ["requestid", "0"],
] as const;

type Incoming = Exclude<Frame, { kind: "syn" }>;

/** What a reader tells, one line a call; parts of data that follow each other are joined. */
class Told implements FrameHandler {
  readonly lines: string[] = [];
  #stream: number | undefined;

  onData(streamId: number, bytes: Buffer): void {
    assert.ok(bytes.length > 0);
    if (this.#stream !== streamId) this.lines.push(`data ${streamId} `);
    this.#stream = streamId;
    this.lines.push(`${this.lines.pop()}${bytes.toString("hex")}`);
  }

  onFin(streamId: number): void {
    this.#tell(`fin ${streamId}`);
  }

  onReply(streamId: number): void {
    this.#tell(`reply ${streamId}`);
  }

  onReset(streamId: number, status: number): void {
    this.#tell(`reset ${streamId} ${status}`);
  }

  onPing(id: number): void {
    this.#tell(`ping ${id}`);
  }

  onGoAway(): void {
    this.#tell("goaway");
  }

  #tell(line: string): void {
    this.#stream = undefined;
    this.lines.push(line);
  }
}

/** What a reader must tell of these frames. */
function meaning(frames: readonly Incoming[]): readonly string[] {
  const told = new Told();
  for (const frame of frames) {
    if (frame.kind === "data" && frame.bytes.length > 0) told.onData(frame.streamId, frame.bytes);
    if (frame.kind === "reply") told.onReply(frame.streamId);
    if ((frame.kind === "data" || frame.kind === "reply") && frame.fin) told.onFin(frame.streamId);
    if (frame.kind === "reset") told.onReset(frame.streamId, frame.status);
    if (frame.kind === "ping") told.onPing(frame.id);
    if (frame.kind === "goaway") told.onGoAway();
  }
  return told.lines;
}

function read(chunks: readonly Buffer[]): readonly string[] {
  const told = new Told();
  const reader = new FrameReader(told);
  for (const chunk of chunks) reader.push(chunk);
  return told.lines;
}

const streamId = fc.integer({ min: 1, max: 0x7fff_ffff });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const incoming: fc.Arbitrary<Incoming> = fc.oneof(
  fc.record({ kind: fc.constant("data" as const), streamId, fin: fc.boolean(), bytes }),
  fc.record({ kind: fc.constant("reply" as const), streamId, fin: fc.boolean() }),
  fc.record({ kind: fc.constant("reset" as const), streamId, status: uint32 }),
  fc.record({ kind: fc.constant("ping" as const), id: uint32 }),
  fc.constant({ kind: "goaway" as const }),
  fc.record({ kind: fc.constant("ignored" as const), type: fc.constantFrom(1, 4, 8, 9, 77), payload: bytes }),
);

/** Cuts the bytes into pieces of these lengths, in turn. */
function cut(all: Buffer, lengths: readonly number[]): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0, turn = 0; at < all.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 1;
    chunks.push(all.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

test("FrameReader reads any frames the same wherever the chunks are cut", () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(incoming, { maxLength: 12 }), lengths, (frames, sizes) => {
      const all = Buffer.concat(frames.map(encode));
      assert.deepEqual(read(cut(all, sizes)), meaning(frames));
      assert.deepEqual(read([all]), meaning(frames));
      assert.deepEqual(read(cut(all, [1])), meaning(frames));
    }),
  );
});

test("FrameReader passes payload on before the frame is complete, as views of the chunk", () => {
  const parts: Buffer[] = [];
  const reader = new FrameReader(
    Object.assign(new Told(), { onData: (_id: number, part: Buffer) => parts.push(part) }),
  );
  const frame = encode({ kind: "data", streamId: 5, fin: false, bytes: Buffer.from("abcdef") });
  reader.push(frame.subarray(0, 11));
  assert.equal(Buffer.concat(parts).toString(), "abc");
  assert.equal(parts[0]?.buffer, frame.buffer);
});

test("FrameReader takes data frames of the longest length there is", () => {
  const whole = Buffer.alloc(2 ** 24 - 1);
  const frame = encode({ kind: "data", streamId: 5, fin: true, bytes: whole });
  let length = 0;
  const told = Object.assign(new Told(), {
    onData(_id: number, part: Buffer) {
      length += part.length;
    },
  });
  const reader = new FrameReader(told);
  for (const chunk of cut(frame, [65_536])) reader.push(chunk);
  assert.equal(length, whole.length);
  assert.deepEqual(told.lines, ["fin 5"]);
});

test("FrameReader throws FrameError for what is no SPDY/3.1", () => {
  const broken = {
    "another version": Buffer.from("8002000200000004", "hex"),
    "no control frame of any version": Buffer.from("\x80HTTP/1.1 400 Bad Request", "latin1"),
    "a control frame past 64 KiB": Buffer.from("8003000400010001", "hex"),
    "SYN_REPLY without a stream": control(2, false, Buffer.alloc(0)),
    "RST_STREAM of 3 bytes": control(3, false, Buffer.alloc(3)),
    "PING of 3 bytes": control(6, false, Buffer.alloc(3)),
  };
  for (const [what, input] of Object.entries(broken)) {
    assert.throws(() => read([input]), FrameError, what);
    assert.throws(() => read(cut(input, [1])), FrameError, what);
  }
});

test("FrameReader throws nothing but FrameError, whatever comes", () => {
  const noise = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
  const nearly = fc
    .tuple(fc.integer({ min: 0, max: 12 }), bytes)
    .map(([type, payload]) => control(type, true, payload));
  fc.assert(
    fc.property(fc.array(fc.oneof(noise, nearly), { maxLength: 5 }), (chunks) => {
      try {
        read(chunks);
      } catch (error) {
        assert.ok(error instanceof FrameError, String(error));
      }
    }),
  );
});

test("FrameWriter.synStream() writes exactly these bytes", () => {
  const writer = new FrameWriter();
  const block = [
    ["00000003"],
    ["0000000a", hex("streamtype"), "00000005", hex("error")],
    ["00000004", hex("port"), "00000002", hex("80")],
    ["00000009", hex("requestid"), "00000001", hex("0")],
  ];
  const stored = ["00", "3b00", "c4ff", ...block.flat(), "00", "0000", "ffff"];
  const first = ["80030001", "01", "000051", "00000001", "00000000", "0000", "7801", ...stored];
  assert.equal(writer.synStream(1, headers, true).toString("hex"), first.join(""));
  const second = ["80030001", "00", "00004f", "00000003", "00000000", "0000", ...stored];
  assert.equal(writer.synStream(3, headers, false).toString("hex"), second.join(""));
});

test("FrameWriter's header blocks are one zlib stream that gives up each block at once", async () => {
  const word = fc.string({ unit: "grapheme-ascii", maxLength: 300 });
  const blocks = fc.array(fc.array(fc.tuple(word, word), { maxLength: 5 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(blocks, async (lists) => {
      const writer = new FrameWriter();
      const inflate = createInflate({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH });
      for (const list of lists) {
        inflate.write(writer.synStream(1, list, false).subarray(18));
        if (inflate.readableLength === 0) await once(inflate, "readable");
        const block: unknown = inflate.read();
        assert.ok(Buffer.isBuffer(block));
        assert.deepEqual(nameValues(block), list);
      }
      inflate.destroy();
    }),
    { numRuns: 50 },
  );
});

test("FrameWriter.synStream() throws for a header block that no stored block holds", () => {
  const writer = new FrameWriter();
  assert.throws(() => writer.synStream(1, [["a", "x".repeat(70_000)]], false), RangeError);
});

test("FrameWriter.dataHeader() goes before a payload of any allowed length", () => {
  fc.assert(
    fc.property(streamId, fc.boolean(), fc.nat(maxDataPayload), (id, fin, length) => {
      const payload = Buffer.alloc(length);
      const frames = new FrameDecoder().push(Buffer.concat([new FrameWriter().dataHeader(id, length, fin), payload]));
      assert.deepEqual(frames, [{ kind: "data", streamId: id, fin, bytes: payload }]);
    }),
  );
});

test("FrameReader reads what FrameWriter writes, wherever it is cut", () => {
  const written = fc.oneof(
    fc.record({ kind: fc.constant("data" as const), streamId, fin: fc.boolean(), bytes }),
    fc.record({ kind: fc.constant("reset" as const), streamId, status: fc.constant(5) }),
    fc.record({ kind: fc.constant("ping" as const), id: uint32 }),
  );
  const lengths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(fc.array(written, { maxLength: 12 }), lengths, (frames, sizes) => {
      const writer = new FrameWriter();
      const all = frames.flatMap((frame): Buffer[] => {
        // A SYN_STREAM before each: a reader has no use for it.
        const syn = writer.synStream(1, headers, false);
        if (frame.kind === "ping") return [syn, writer.ping(frame.id)];
        if (frame.kind === "reset") return [syn, writer.rstStream(frame.streamId)];
        return [syn, writer.dataHeader(frame.streamId, frame.bytes.length, frame.fin), frame.bytes];
      });
      assert.deepEqual(read(cut(Buffer.concat(all), sizes)), meaning(frames));
    }),
  );
});

test("FrameWriter writes RST_STREAM with CANCEL and PING", () => {
  const writer = new FrameWriter();
  assert.equal(writer.rstStream(7).toString("hex"), "80030003000000080000000700000005");
  assert.equal(writer.ping(0x8000_0001).toString("hex"), "800300060000000480000001");
});

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}
