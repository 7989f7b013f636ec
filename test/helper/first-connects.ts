/**
 * Connects to many addresses from the moment on at which each begins to listen, as eager programs do: `first-connects.ts FIRST
 * COUNT PORT`. A refused connect is tried again at once; one that was accepted must get the greeting. Prints JSON: how many were
 * served, and what happened to the others.
 */
import { connect } from "node:net";
import { addressAt, parseLoopbackRange } from "../../src/model/loopback.ts";

const [first = 0, count = 0, port = 0] = process.argv.slice(2).map(Number);
const range = parseLoopbackRange("127.0.0.0/8");
const atOnce = 40;
let next = 0;
let served = 0;
const failures: string[] = [];

async function firstConnect(index: number): Promise<void> {
  const host = addressAt(range, first + index);
  for (;;) {
    const outcome = await greeting(host);
    if (outcome === "ECONNREFUSED") continue;
    if (outcome === host) served++;
    else failures.push(`${host}: ${outcome}`);
    return;
  }
}

function greeting(host: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    let text = "";
    socket.setTimeout(20_000, () => socket.destroy(new Error("accepted, but nobody answered")));
    socket.on("data", (bytes) => {
      text += bytes.toString();
    });
    socket.on("end", () => resolve(text === "" ? "closed without a word" : text));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

const worker = async () => {
  while (next < count) await firstConnect(next++);
};
// Said so that the listeners begin only when the connects do.
process.stdout.write("ready\n");
await Promise.all(Array.from({ length: atOnce }, worker));
process.stdout.write(`${JSON.stringify({ served, failures: failures.slice(0, 10) })}\n`);
