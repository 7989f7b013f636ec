/**
 * A program of its own: ports of the test application on loopback, at numbers that the kernel picks. Prints `NAME PORT` for each,
 * and ends when its standard input does.
 */
import { createServer, type Socket } from "node:net";
import { type LocalPortName, localPortNames } from "./contender.ts";

const page = "hello from local on local: here\n";

const zeros = Buffer.alloc(64 * 1024);
const slowPieces = 16;
const slowEveryMs = 200;

const behaviours: Readonly<Record<LocalPortName, (socket: Socket) => void>> = {
  echo: (socket) => void socket.pipe(socket),
  sink: (socket) => void socket.resume().on("end", () => socket.end()),
  source: (socket) => {
    const send = () => {
      while (socket.writable && socket.write(zeros));
    };
    socket.on("drain", send);
    socket.resume().on("end", () => socket.destroy());
    send();
  },
  http: (socket) => {
    socket.once("data", () => socket.end(`HTTP/1.0 200 OK\r\nContent-Length: ${page.length}\r\n\r\n${page}`));
    socket.resume();
  },
  "never-reads": () => {},
  slow: (socket) => {
    socket.once("data", () => {
      let left = slowPieces;
      const timer = setInterval(() => {
        socket.write("0123456789");
        if (--left > 0) return;
        clearInterval(timer);
        socket.end();
      }, slowEveryMs);
      socket.on("close", () => clearInterval(timer));
    });
  },
};

for (const name of localPortNames) {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {}); // Whoever is measured may hang up as it likes.
    behaviours[name](socket);
  });
  server.listen({ host: "127.0.0.1", port: 0 }, () => {
    const address = server.address();
    if (address !== null && typeof address === "object") process.stdout.write(`${name} ${address.port}\n`);
  });
}
process.stdin.resume().on("end", () => process.exit());
