/**
 * A program: runs another as an unprivileged user in the network namespace that it is started in, and leads connections to a
 * unix socket to the TCP ports of that namespace: each says the port in a line first. Ends with its input.
 *
 * Arguments: the socket's path, the user's uid and gid, the program and its arguments.
 */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";

const [path, uid, gid, ...command] = process.argv.slice(2);

// As the pod's sysctl does.
writeFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
const limits = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--no-new-privs", "--bounding-set=-all"];
const program = spawn("setpriv", [...limits, ...command], { stdio: ["ignore", "inherit", "inherit"] });
program.on("exit", () => process.exit(1));

const server = createServer({ allowHalfOpen: true }, (outer) => {
  outer.on("error", () => {});
  outer.once("data", (line: Buffer) => {
    outer.pause();
    const end = line.indexOf("\n");
    const inner = connect({
      host: "127.0.0.1",
      port: Number(line.subarray(0, end)),
      allowHalfOpen: true,
      noDelay: true,
    });
    outer.unshift(line.subarray(end + 1));
    join(outer, inner);
  });
});
server.listen(path, () => process.stdout.write("listening\n"));
process.stdin.resume().on("end", () => process.exit(0));

function join(outer: Socket, inner: Socket): void {
  outer.pipe(inner).pipe(outer);
  for (const [one, other] of [
    [outer, inner],
    [inner, outer],
  ] as const) {
    one.on("error", () => other.destroy());
    one.on("close", () => {
      if (!one.readableEnded || !one.writableFinished) other.destroy();
    });
  }
}
