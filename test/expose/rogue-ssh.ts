/** Somebody in a pod who takes connections that are meant for its sshd, with a host key of his own. Linux, root. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { makeKeyPair } from "../../src/ssh/key-pair.ts";
import { runCommand } from "../cluster/run-command.ts";
import { waitFor } from "../cluster/wait.ts";

/** He is there. Disposing removes him. */
export interface RogueSsh extends AsyncDisposable {
  /** What has happened to him: `connection`, and `authentication` for a client that trusts him. */
  events(): readonly string[];
}

const roguePort = 2223;

/** Tells what happens, a word a line. */
const script = `
import ssh2 from "ssh2";
const say = (word) => process.stdout.write(word + "\\n");
const server = new ssh2.Server({ hostKeys: [process.env.HOST_KEY] }, (client) => {
  say("connection");
  client.on("authentication", (context) => { say("authentication"); context.accept(); });
  client.on("error", () => {});
});
server.listen(${roguePort}, "127.0.0.1", () => say("listening"));
`;

/** Takes what comes for a port of the pod's loopback from now on; connections that are open stay. */
export async function openRogueSsh(podUid: string, port: number): Promise<RogueSsh> {
  await using stack = new AsyncDisposableStack();
  const enter = [`--net=/proc/${processOf(podUid)}/ns/net`, "--"];
  const child = spawn("nsenter", [...enter, process.execPath, "--input-type=module", "-e", script], {
    cwd: join(import.meta.dirname, "../.."),
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, HOST_KEY: makeKeyPair().privateKey },
  });
  stack.defer(() => ended(child));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  await waitFor("the rogue to listen", () => output.includes("listening"), { timeoutMs: 20_000 });
  const rule = ["OUTPUT", "-p", "tcp", "-d", "127.0.0.1", "--dport", String(port)];
  const redirect = ["-j", "REDIRECT", "--to-ports", String(roguePort)];
  // The rule goes with the pod.
  await runCommand("nsenter", [...enter, "iptables", "-w", "-t", "nat", "-A", ...rule, ...redirect]);
  const works = stack.move();
  return {
    events: () => output.split("\n").filter((word) => word === "connection" || word === "authentication"),
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}

/** The pod's first process, whose network it is: probes come and go. The kubelet names cgroups after pods. */
function processOf(podUid: string): string {
  const found = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && textOf(`/proc/${name}/cgroup`).includes(podUid))
    .sort((one, other) => startOf(one) - startOf(other));
  return found[0] ?? assert.fail(`no process of pod ${podUid} runs on this machine`);
}

/** In ticks since the boot (proc_pid_stat(5), starttime). */
function startOf(pid: string): number {
  const stat = textOf(`/proc/${pid}/stat`);
  const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return start === undefined ? Number.POSITIVE_INFINITY : Number(start);
}

/** Empty for a process that has ended meanwhile. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exit;
}
