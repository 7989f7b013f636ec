/** Connections of every kind through a tunnel, each of which checks every byte. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { systemClock as clock } from "../../src/clock.ts";

/** Ports of the test application, by what they do, as the tunnel listens on them. */
export interface MixedPorts {
  readonly host: string;
  readonly echo: number;
  readonly sink: number;
  readonly source: number;
  readonly neverReads: number;
  readonly closesEarly: number;
  readonly slow: number;
  readonly refused: number;
}

/** One connection; throws when anything but what should happen does. */
export type Kind = (ports: MixedPorts) => Promise<void>;

/** By name, with how often of 100. */
export const kinds: readonly (readonly [name: string, share: number, kind: Kind])[] = [
  ["short", 55, short],
  ["talk", 11, talk],
  ["long", 2, long],
  ["bulk", 6, bulk],
  ["dropped download", 5, droppedDownload],
  ["talk broken off", 4, brokenOffTalk],
  ["upload broken off", 2, brokenOffUpload],
  ["left at once", 4, leftAtOnce],
  ["refused", 5, refused],
  ["closes early", 4, closesEarly],
  ["half-closed", 2, halfClosed],
];

/** Which kind the number is, spread evenly. */
export function kindOf(index: number): readonly [name: string, kind: Kind] {
  let at = (index * 37) % 100;
  for (const [name, share, kind] of kinds) {
    if (at < share) return [name, kind];
    at -= share;
  }
  return ["short", short];
}

async function short({ host, echo }: MixedPorts): Promise<void> {
  using peer = open(host, echo);
  const text = randomBytes(32).toString("hex");
  peer.socket.write(text);
  assert.equal(String(await peer.read(text.length)), text);
}

async function talk({ host, echo }: MixedPorts): Promise<void> {
  using peer = open(host, echo);
  for (let turn = 0; turn < 20; turn++) {
    const bytes = randomBytes(1 + turn * 97);
    peer.socket.write(bytes);
    assert.ok((await peer.read(bytes.length)).equals(bytes));
  }
}

/** A talk with pauses: nothing that happens to others may reach it. */
async function long({ host, echo }: MixedPorts): Promise<void> {
  using peer = open(host, echo);
  for (let turn = 0; turn < 10; turn++) {
    const bytes = randomBytes(100 + turn);
    peer.socket.write(bytes);
    assert.ok((await peer.read(bytes.length)).equals(bytes));
    await clock.sleep(250);
  }
}

async function bulk({ host, echo }: MixedPorts): Promise<void> {
  using peer = open(host, echo);
  const bytes = randomBytes(1024 * 1024);
  peer.socket.write(bytes);
  const back = await peer.read(bytes.length);
  assert.equal(createHash("sha1").update(back).digest("hex"), createHash("sha1").update(bytes).digest("hex"));
}

async function droppedDownload({ host, source }: MixedPorts): Promise<void> {
  using peer = open(host, source);
  peer.socket.write("x");
  const zeros = await peer.read(512 * 1024);
  assert.ok(zeros.every((byte) => byte === 0));
}

async function brokenOffTalk({ host, echo }: MixedPorts): Promise<void> {
  using peer = open(host, echo);
  peer.socket.write("first");
  assert.equal(String(await peer.read(5)), "first");
  peer.socket.write(randomBytes(20_000));
  peer.socket.resetAndDestroy();
}

async function brokenOffUpload({ host, sink }: MixedPorts): Promise<void> {
  using peer = open(host, sink);
  await once(peer.socket, "connect");
  const block = Buffer.alloc(256 * 1024);
  for (let turn = 0; turn < 4; turn++) if (!peer.socket.write(block)) await once(peer.socket, "drain");
  peer.socket.resetAndDestroy();
}

async function leftAtOnce({ host, echo }: MixedPorts): Promise<void> {
  using peer = open(host, echo);
  await once(peer.socket, "connect");
}

async function refused({ host, refused: port }: MixedPorts): Promise<void> {
  using peer = open(host, port);
  peer.socket.write("too early");
  await assert.rejects(once(peer.socket.resume(), "end"), { code: "ECONNRESET" });
}

async function closesEarly({ host, closesEarly: port }: MixedPorts): Promise<void> {
  using peer = open(host, port);
  peer.socket.write("x");
  assert.equal(String(await peer.rest()), "bye");
}

async function halfClosed({ host, slow }: MixedPorts): Promise<void> {
  using peer = open(host, slow);
  peer.socket.end("x");
  assert.equal((await peer.rest()).length, 160);
}

/** A connection of a test; disposing it closes it. */
export function open(host: string, port: number) {
  const socket: Socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
  socket.on("error", () => {});
  const read = async (length: number): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    let got = 0;
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk);
      got += chunk.length;
      if (got >= length) break;
    }
    assert.ok(got >= length || length === Number.POSITIVE_INFINITY, `${got} bytes of ${length} came`);
    return Buffer.concat(chunks).subarray(0, Math.min(length, got));
  };
  return {
    socket,
    read,
    rest: () => read(Number.POSITIVE_INFINITY),
    [Symbol.dispose]() {
      socket.destroy();
    },
  };
}

/** How connections of mixed kinds went. */
export interface MixedRun {
  readonly done: number;
  /** Kind, number and why, of those that went wrong. */
  readonly failures: readonly string[];
}

/** Makes connections of every kind, so many at a time, until the count is reached or `isOver` says so. */
export async function runMixed(
  ports: MixedPorts,
  {
    count,
    workers,
    isOver = () => false,
  }: { readonly count: number; readonly workers: number; isOver?: () => boolean },
): Promise<MixedRun> {
  const failures: string[] = [];
  let next = 0;
  const work = async () => {
    while (next < count && !isOver()) {
      const index = next++;
      const [name, kind] = kindOf(index);
      await kind(ports).catch((error: Error) => failures.push(`${name} ${index}: ${error.message}`));
    }
  };
  await Promise.all(Array.from({ length: workers }, work));
  return { done: next, failures };
}
