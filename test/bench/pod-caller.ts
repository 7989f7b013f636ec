/**
 * A program of its own, for it runs in the cluster's network: takes one measurement at a port and prints `took …`, numbers in ms
 * and seconds. Ends with its standard input.
 *   round-trips HOST:PORT COUNT            echoes of 64 bytes, one after the other on one connection: took P50 P99
 *   connections HOST:PORT COUNT WORKERS    connect, a byte there and back, close: took SECONDS FAILED
 *   upload HOST:PORT BYTES PID             until the process has read them: took SECONDS
 *   download HOST:PORT BYTES               took SECONDS
 */
import { once } from "node:events";
import { connect } from "node:net";
import type { Address } from "./contender.ts";
import { echoAll } from "./echo.ts";
import { bytesRead } from "./process-usage.ts";
import { percentile } from "./statistics.ts";
import { download, upload } from "./transfer.ts";

const requestBytes = 64;
/** Before those that count. */
const warmUpEchoes = 50;

const [kind = "", target = "", ...numbers] = process.argv.slice(2);
const [host = "", portText] = target.split(":");
const [amount = 0, more = 0] = numbers.map(Number);
const address = { host, port: Number(portText) };
const { signal } = new AbortController();
process.stdin.resume().on("end", () => process.exit());

const took = await measure();
process.stdout.write(`took ${took.join(" ")}\n`);

async function measure(): Promise<readonly number[]> {
  switch (kind) {
    case "round-trips":
      return await roundTrips(address, amount);
    case "connections": {
      const addresses = Array.from({ length: amount }, () => address);
      const { elapsedMs, failed } = await echoAll(addresses, { workers: more, signal });
      return [elapsedMs / 1000, failed];
    }
    case "upload": {
      const end = bytesRead(more) + amount;
      return [await upload(address, amount, { arrived: () => bytesRead(more) >= end, signal })];
    }
    case "download":
      return [await download(address, amount, signal)];
    default:
      throw new Error(`There is no measurement "${kind}"`);
  }
}

async function roundTrips({ host, port }: Address, count: number): Promise<readonly number[]> {
  const socket = connect({ host, port, noDelay: true });
  await once(socket, "connect");
  const request = Buffer.alloc(requestBytes, "r");
  const latenciesMs: number[] = [];
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let [sentMs, missing] = [0, 0];
  const send = () => {
    [sentMs, missing] = [performance.now(), requestBytes];
    socket.write(request);
  };
  socket.on("data", (chunk: Buffer) => {
    missing -= chunk.length;
    if (missing > 0) return;
    latenciesMs.push(performance.now() - sentMs);
    if (latenciesMs.length === warmUpEchoes + count) resolve();
    else send();
  });
  socket.on("error", reject);
  socket.on("close", () => reject(new Error("The connection was closed without an echo")));
  send();
  await promise;
  socket.destroy();
  const counted = latenciesMs.slice(warmUpEchoes);
  return [percentile(counted, 50), percentile(counted, 99)];
}
