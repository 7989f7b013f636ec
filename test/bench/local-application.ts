/**
 * A program of its own: the test application's echo, sink and source on ports of loopback that the kernel picks. Prints
 * `NAME PORT` for each, and ends when its standard input does.
 */
import { createServer, type Socket } from "node:net";
import type { PortName } from "./contender.ts";

const zeros = Buffer.alloc(64 * 1024);

const behaviours: Readonly<Record<PortName, (socket: Socket) => void>> = {
  echo: (socket) => void socket.pipe(socket),
  sink: (socket) => void socket.resume(),
  source: (socket) => {
    const send = () => {
      while (socket.writable && socket.write(zeros));
    };
    socket.on("drain", send);
    socket.resume();
    send();
  },
};

for (const [name, behave] of Object.entries(behaviours)) {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => {}); // Whoever is measured may hang up as it likes.
    behave(socket);
  });
  server.listen({ host: "127.0.0.1", port: 0 }, () => {
    const address = server.address();
    if (address !== null && typeof address === "object") process.stdout.write(`${name} ${address.port}\n`);
  });
}
process.stdin.resume().on("end", () => process.exit());
