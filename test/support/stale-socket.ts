/** What a killed listener leaves behind. */
import { spawn } from "node:child_process";
import { once } from "node:events";

/** Leaves a socket on which nobody answers. */
export async function leaveStale(path: string): Promise<void> {
  const program = `require("node:net").createServer().listen(process.argv[1], () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", program, path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
}
