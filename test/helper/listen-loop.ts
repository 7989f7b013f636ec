/** A user's part that asks for one listener after the other until it is killed: `listen-loop.ts HOSTS LINK STATE`. Prints JSON: its helper's pid. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { channelToChild } from "../../src/helper/channel.ts";
import { connectHelper } from "../../src/helper/connect-helper.ts";
import { hostName } from "../../src/model/host-name.ts";
import { addressAt, parseLoopbackRange } from "../../src/model/loopback.ts";
import { port } from "../../src/model/port.ts";

const [hosts, link, state] = process.argv.slice(2);
const range = parseLoopbackRange("127.82.0.0/16");
const program = join(import.meta.dirname, "../../src/helper/main.ts");
const places = [`--hosts-file=${hosts}`, `--socket-link=${link}`, `--state-dir=${state}`];
// Its standard error goes nowhere: a helper that outlives this process must not hold the test's pipe.
const child = spawn(process.execPath, [program, ...places], { stdio: ["ipc", "ignore", "ignore"] });
const helper = await connectHelper(channelToChild(child));
await helper.writeHosts([{ address: addressAt(range, 1), names: [hostName("cart.shop")] }]);
process.stdout.write(`${JSON.stringify({ helper: helper.identity.pid })}\n`);
for (let index = 1; ; index = (index % 60_000) + 1) {
  const listener = await helper.listen({ address: addressAt(range, index), port: port(18_200) }, (socket) =>
    socket.end(),
  );
  await listener[Symbol.asyncDispose]();
}
