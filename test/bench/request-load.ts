/**
 * A program of its own, so that nothing but the machine disturbs it: `request-load.ts HOST:PORT RATE MS CONNECTIONS` sends
 * requests to an echo at that rate on connections that stay, whether or not earlier ones are answered, and prints one line:
 * `load ANSWERED SENT P50 P99 P99.9 MAX`, times in ms from the request to the last byte of its answer. Ends with its standard input.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { percentile } from "./statistics.ts";

const requestBytes = 64;
const request = Buffer.alloc(requestBytes, "r");
/** For the last answers. */
const graceMs = 2_000;
const tickMs = 1;

const [target = "", rateText, forText, countText] = process.argv.slice(2);
const [host = "", port = ""] = target.split(":");
const [rate, forMs, count] = [Number(rateText), Number(forText), Number(countText)];
process.stdin.resume().on("end", () => process.exit());

const latenciesMs: number[] = [];
const lines = await Promise.all(Array.from({ length: count }, openLine));
let sent = 0;
const startedMs = performance.now();
const timer = setInterval(() => {
  const elapsedMs = performance.now() - startedMs;
  for (const due = (Math.min(elapsedMs, forMs) * rate) / 1000; sent < due; sent++) lines[sent % count]?.send();
  if (elapsedMs < forMs) return;
  clearInterval(timer);
  setTimeout(report, graceMs);
}, tickMs);

/** A connection whose echoes are matched with the requests by their number of bytes. */
async function openLine(): Promise<{ readonly send: () => void }> {
  const sentMs: number[] = [];
  let bytes = 0;
  const socket: Socket = connect({ host, port: Number(port), noDelay: true });
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    for (; bytes >= requestBytes; bytes -= requestBytes) {
      const since = sentMs.shift();
      if (since !== undefined) latenciesMs.push(performance.now() - since);
    }
  });
  await once(socket, "connect");
  socket.on("error", () => {}); // What has no answer counts as such.
  return {
    send() {
      sentMs.push(performance.now());
      socket.write(request);
    },
  };
}

function report(): void {
  const times = latenciesMs.length === 0 ? [] : [50, 99, 99.9, 100].map((percent) => percentile(latenciesMs, percent));
  process.stdout.write(`load ${[latenciesMs.length, sent, ...times].join(" ")}\n`);
}
