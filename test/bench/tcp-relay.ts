/**
 * A program of its own: for each port of loopback in its arguments opens another and passes bytes on, with nothing but what
 * Node gives. Prints `TARGET PORT` for each, and ends when its standard input does.
 */
import { connect, createServer } from "node:net";

for (const target of process.argv.slice(2)) {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (local) => {
    const far = connect({ host: "127.0.0.1", port: Number(target), noDelay: true, allowHalfOpen: true });
    local.on("error", () => far.destroy());
    far.on("error", () => local.destroy());
    local.on("close", () => far.destroy());
    far.on("close", () => local.destroy());
    local.pipe(far);
    far.pipe(local);
  });
  server.listen({ host: "127.0.0.1", port: 0 }, () => {
    const address = server.address();
    if (address !== null && typeof address === "object") process.stdout.write(`${target} ${address.port}\n`);
  });
}
process.stdin.resume().on("end", () => process.exit());
