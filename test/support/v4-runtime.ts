/** A channel of the engine `v4`, and the container runtime at its far end. */

import { port } from "../../src/model/port.ts";
import { V4Channel } from "../../src/portforward/v4-channel.ts";
import { duplexPair } from "./duplex-pair.ts";
import { turns } from "./event-loop.ts";
import { FakeClock } from "./fake-clock.ts";
import { type ClientFrame, ClientFrames, serverFrame } from "./websocket-peer.ts";

const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(8080) };
const portBytes = Buffer.from([0x90, 0x1f]);

/** A message of the runtime's. */
export const say = (channel: number, bytes: Buffer | string) =>
  serverFrame(2, Buffer.concat([Buffer.from([channel]), Buffer.from(bytes)]));

/** What it begins with: the port, on each channel. */
export const named = Buffer.concat([say(0, portBytes), say(1, portBytes)]);

/** A channel, and the runtime at its far end; it answers pings, and is looked after. */
export function channelled(head: Buffer = named) {
  const { near, far } = duplexPair();
  const clock = new FakeClock();
  const frames: ClientFrame[] = [];
  const reader = new ClientFrames();
  far.on("data", (chunk: Buffer) => {
    for (const frame of reader.push(chunk)) {
      if (frame.opcode === 9) far.write(serverFrame(10, frame.payload));
      else frames.push(frame);
    }
  });
  let opened = 0;
  const onOpen = () => void opened++;
  const channel = new V4Channel({ socket: near, head }, endpoint, { clock, onOpen, health: {} });
  return { channel, clock, near, far, frames, opened: () => opened };
}

/** Lets the time pass, and the pongs come. */
export async function quietFor(clock: FakeClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5_000) {
    await clock.advance(Math.min(left, 5_000));
    await turns();
  }
}

/** All that comes until the end. */
export async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return String(Buffer.concat(parts));
}
