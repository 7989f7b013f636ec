/**
 * A program of its own: `delay-relay.ts MS HOST:PORT …` opens a port of loopback for each target and passes bytes on, each MS
 * after it came, either way, as many as come. A connection's first bytes wait one round trip more, for the handshake that a long
 * cable would need and loopback does not. Prints `HOST:PORT PORT` for each, and ends when its standard input does.
 */
import { connect, createServer, type Socket } from "node:net";
import { DelayLine } from "./delay-line.ts";

const [delayText = "0", ...targets] = process.argv.slice(2);
const delayMs = Number(delayText);
const clock = {
  now: () => performance.now(),
  after: (ms: number, act: () => void) => void setTimeout(act, ms),
};

for (const target of targets) {
  const [host = "", port = ""] = target.split(":");
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
    const far = connect({ host, port: Number(port), noDelay: true, allowHalfOpen: true });
    const there = lineTo(far);
    there.holdFor(2 * delayMs);
    carry(near, there);
    carry(far, lineTo(near));
  });
  server.listen({ host: "127.0.0.1", port: 0 }, () => {
    const address = server.address();
    if (address !== null && typeof address === "object") process.stdout.write(`${target} ${address.port}\n`);
  });
}
process.stdin.resume().on("end", () => process.exit());

function lineTo(socket: Socket): DelayLine<Buffer | "end" | "reset"> {
  return new DelayLine(clock, delayMs, (item) => {
    if (item === "end") socket.end();
    else if (item === "reset") socket.resetAndDestroy();
    else socket.write(item);
  });
}

function carry(from: Socket, line: DelayLine<Buffer | "end" | "reset">): void {
  from.on("data", (bytes: Buffer) => line.push(bytes));
  from.on("end", () => line.push("end"));
  from.on("error", () => line.push("reset"));
}
