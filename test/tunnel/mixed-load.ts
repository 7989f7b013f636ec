/** Connections of every kind through a tunnel, each of which checks every byte. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Ports of the test application, by what they do, as the tunnel listens on them. */
export interface MixedPorts {
  readonly host: string;
  readonly echo: number;
  readonly source: number;
  readonly closesEarly: number;
  readonly slow: number;
  readonly refused: number;
}

/** One connection; throws when anything but what should happen does. */
export type Kind = (ports: MixedPorts) => Promise<void>;

/** By name, with how often of 100. */
export const kinds: readonly (readonly [name: string, share: number, kind: Kind])[] = [
  ["short", 60, short],
  ["talk", 12, talk],
  ["bulk", 6, bulk],
  ["dropped download", 6, droppedDownload],
  ["left at once", 4, leftAtOnce],
  ["refused", 5, refused],
  ["closes early", 4, closesEarly],
  ["half-closed", 3, halfClosed],
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
  await peer.read(512 * 1024);
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
  assert.match(String(await peer.rest()), /^bye/);
}

async function halfClosed({ host, slow }: MixedPorts): Promise<void> {
  using peer = open(host, slow);
  peer.socket.end("x");
  assert.equal((await peer.rest()).length, 160);
}

function open(host: string, port: number) {
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
