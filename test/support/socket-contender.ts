/** A process that wants a socket when it is told to: `socket-contender.ts PATH`. Says `ready`, then `won` or the error's code. */
import { createServer } from "node:net";
import { listenUnixSocket } from "../../src/net/listen-unix-socket.ts";

const [, , path = ""] = process.argv;
const server = createServer((socket) => socket.on("error", () => {}).resume());
console.log("ready");
process.stdin.once("data", () =>
  listenUnixSocket(server, path).then(
    () => console.log("won"),
    (error) => console.log(error.code),
  ),
);
process.stdin.once("end", () => process.exit());
