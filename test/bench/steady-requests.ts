/**
 * A program of its own: `steady-requests.ts HOST:PORT EVERY_MS FILE` asks `GET /` at that pace, each on a new connection. Prints
 * `ready` when the first was answered, and on SIGINT writes into the file what all of them saw, as `request-log.ts` reads it. Ends
 * with its standard input.
 */
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { startSteadyClient } from "../e2e/steady-client.ts";
import type { LoggedRequest } from "./request-log.ts";

const [target = "", everyText, file = ""] = process.argv.slice(2);
const [address = "", port = ""] = target.split(":");
process.stdin.resume().on("end", () => process.exit());

const beganMs = performance.timeOrigin + performance.now();
const client = startSteadyClient({ address, port: Number(port) }, { everyMs: Number(everyText) });
process.on("SIGINT", async () => {
  const exchanges = await client.stop();
  const requests = exchanges.map((exchange): LoggedRequest => {
    const startedMs = beganMs + exchange.atMs;
    const times = { startedMs, endedMs: startedMs + exchange.tookMs };
    return exchange.kind === "answered" ? { ...times, by: exchange.pod } : { ...times, failure: exchange.code };
  });
  writeFileSync(file, JSON.stringify(requests));
  process.exit();
});
while (!client.exchanges.some(({ kind }) => kind === "answered")) await sleep(10);
process.stdout.write("ready\n");
