/**
 * An API server with a pod behind it, for a network namespace of its own: `black-hole-server.ts ADDRESS PORT`. The pod's ports:
 * 7 echoes, 9 reads all that comes, 19 talks without end, 99 never reads, so that its connection stalls as a runtime's does.
 */
import { createServer, type Socket } from "node:net";
import { encode, type Frame, FrameDecoder } from "../support/spdy-frames.ts";
import { switching } from "../support/upgrade-server.ts";

const [address, port] = process.argv.slice(2);
const block = Buffer.alloc(16_384, "x");

const server = createServer((socket) => {
  socket.on("error", () => {});
  let head = "";
  socket.on("data", function read(chunk: Buffer) {
    head += chunk.toString("latin1");
    if (!head.endsWith("\r\n\r\n")) return;
    socket.off("data", read);
    socket.write(switching);
    serve(socket);
  });
});
server.listen(Number(port), address, () => process.stdout.write('{"listening":true}\n'));

function serve(socket: Socket): void {
  const decoder = new FrameDecoder();
  const ports = new Map<number, string | undefined>();
  const answer = (frame: Frame) => {
    if (frame.kind === "ping") socket.write(encode(frame));
    if (frame.kind === "syn") {
      socket.write(encode({ kind: "reply", streamId: frame.streamId, fin: false }));
      if (frame.headers.streamtype === "data") ports.set(frame.streamId, frame.headers.port);
    }
    if (frame.kind !== "data") return;
    const podPort = ports.get(frame.streamId);
    if (podPort === "7") socket.write(encode(frame));
    if (podPort === "19") talk(socket, frame.streamId);
    if (podPort === "99") socket.pause();
  };
  socket.on("data", (chunk: Buffer) => {
    for (const frame of decoder.push(chunk)) answer(frame);
  });
}

function talk(socket: Socket, streamId: number): void {
  const more = () => {
    while (!socket.destroyed && socket.write(encode({ kind: "data", streamId, fin: false, bytes: block })));
  };
  socket.on("drain", more);
  more();
}
