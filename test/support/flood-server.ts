/**
 * An API server with a container runtime behind it, for a process of its own: as soon as a stream is spoken to, it sends as
 * fast as its connection takes it, for ever. Tells its parent its port, then ten times a second how things stand.
 */
import type { Duplex } from "node:stream";
import { encode, FrameDecoder } from "./spdy-frames.ts";
import { openUpgradeServer, switching } from "./upgrade-server.ts";
import { TunnelPeer, webSocketAnswer } from "./websocket-peer.ts";

/** What it tells. */
export interface FloodReport {
  readonly port: number;
  readonly connections: number;
  /** Pairs of streams that were opened. */
  readonly pairs: number;
  readonly bytesSent: number;
}

let pairs = 0;
let bytesSent = 0;
const server = await openUpgradeServer(({ head, socket }) => {
  socket.setNoDelay(true);
  const isWebSocket = /^upgrade: *websocket/im.test(head);
  socket.write(isWebSocket ? webSocketAnswer(head) : switching);
  flood(isWebSocket ? new TunnelPeer(socket) : socket);
});
const timer = setInterval(() => {
  const report: FloodReport = {
    port: Number(server.cluster.server.port),
    connections: server.requests.length,
    pairs,
    bytesSent,
  };
  // Its parent may have gone meanwhile.
  process.send?.(report, undefined, undefined, () => {});
}, 100);
process.once("disconnect", () => {
  clearInterval(timer);
  void server[Symbol.asyncDispose]();
});

function flood(socket: Duplex): void {
  const decoder = new FrameDecoder();
  const spokenTo: number[] = [];
  const bytes = Buffer.alloc(32_768);
  let isFlooding = false;
  const go = () => {
    isFlooding = false;
    if (spokenTo.length === 0 || socket.destroyed) return;
    // One frame of each stream in turn, as the runtime's copies do.
    let isFree = true;
    for (const streamId of spokenTo) {
      isFree = socket.write(encode({ kind: "data", streamId, fin: false, bytes }));
      bytesSent += bytes.length;
    }
    isFlooding = true;
    if (isFree) setImmediate(go);
    else socket.once("drain", go);
  };
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    for (const frame of decoder.push(chunk)) {
      if (frame.kind === "ping") socket.write(encode(frame));
      if (frame.kind === "syn") socket.write(encode({ kind: "reply", streamId: frame.streamId, fin: false }));
      if (frame.kind === "syn" && frame.headers.streamtype === "data") pairs++;
      if (frame.kind === "data" && !frame.fin && !spokenTo.includes(frame.streamId)) spokenTo.push(frame.streamId);
    }
    if (!isFlooding) go();
  });
}
