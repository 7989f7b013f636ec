/**
 * `npm run cluster -- up | down | status | kubectl … | kubeconfig`: the test cluster for people.
 * Exit code 0, 1 when it did not work or is not up, 2 for a wrong command line; kubectl's own.
 */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { parseArgs } from "node:util";
import { endCluster, startCluster } from "./cluster.ts";
import { componentProcess, missingComponents } from "./component-set.ts";
import { componentNames } from "./components.ts";
import type { RuntimeName } from "./executables.ts";
import { healthTrouble } from "./health.ts";
import { kubectlEnvironment, kubectlPath } from "./kubectl.ts";
import { clusterLayout } from "./layout.ts";
import { leftovers } from "./leftovers.ts";
import { readRecord } from "./record.ts";

const usage = `usage: npm run cluster -- COMMAND
  up [--runtime current|debian]   start the cluster, or use the one that is up
  down                            stop it and clear up
  status                          say what runs
  kubectl ARGS                    run kubectl as its administrator
  kubeconfig                      print the path of the administrator's kubeconfig`;

class UsageError extends Error {}

const layout = clusterLayout();

async function main([command, ...args]: readonly string[]): Promise<number> {
  switch (command) {
    case "up":
      return up(args);
    case "down":
      noArguments(command, args);
      return down();
    case "status":
      noArguments(command, args);
      return status();
    case "kubectl":
      return kubectl(args);
    case "kubeconfig":
      noArguments(command, args);
      return printKubeconfig();
    case undefined:
      throw new UsageError("A command is missing");
    default:
      throw new UsageError(`There is no command "${command}"`);
  }
}

async function up(args: readonly string[]): Promise<number> {
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interrupted.abort(new Error(`Interrupted by ${signal}`)));
  }
  const cluster = await startCluster({ signal: interrupted.signal, runtime: runtimeOption(args) });
  // Only the connection is closed, not the cluster disposed: it is to stay up.
  cluster.api[Symbol.dispose]();
  process.stdout.write(`KUBECONFIG=${cluster.kubeconfig}\n`);
  return 0;
}

function runtimeOption(args: readonly string[]): RuntimeName | undefined {
  let runtime: string | undefined;
  try {
    ({ runtime } = parseArgs({ args: [...args], options: { runtime: { type: "string" } } }).values);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  if (runtime === undefined || runtime === "current" || runtime === "debian") return runtime;
  throw new UsageError(`There is no runtime "${runtime}"`);
}

async function down(): Promise<number> {
  const begin = performance.now();
  await endCluster();
  process.stderr.write(`The test cluster is down after ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
  return 0;
}

async function status(): Promise<number> {
  const record = await readRecord(layout);
  const healthy = record !== undefined && (await healthTrouble(layout)) === undefined;
  const lines: string[] = [];
  if (healthy) {
    lines.push(`Up and healthy (containerd: ${record.runtime}), KUBECONFIG=${layout.kubeconfig}`);
    for (const name of componentNames) lines.push(`  ${name}: process ${componentProcess(layout, name)?.pid}`);
  } else {
    const left = leftovers(layout);
    lines.push(left.length === 0 ? "Down, nothing is left of it" : "Not healthy; up clears this up and starts anew:");
    for (const line of left) lines.push(`  ${line}`);
    const ended = missingComponents(layout);
    if (record !== undefined && ended.length > 0) lines.push(`  ended: ${ended.join(", ")}`);
  }
  process.stdout.write(`${lines.join("\n")}\n`);
  return healthy ? 0 : 1;
}

async function kubectl(args: readonly string[]): Promise<number> {
  if (!(await clusterWasStarted())) return 1;
  const child = spawn(kubectlPath(layout), args, { stdio: "inherit", env: kubectlEnvironment(layout) });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.on("error", reject);
  child.on("exit", (code, signal) => resolve(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
  return promise;
}

async function printKubeconfig(): Promise<number> {
  if (!(await clusterWasStarted())) return 1;
  process.stdout.write(`${layout.kubeconfig}\n`);
  return 0;
}

async function clusterWasStarted(): Promise<boolean> {
  if ((await readRecord(layout)) !== undefined) return true;
  process.stderr.write("The test cluster is not up: npm run cluster -- up\n");
  return false;
}

function noArguments(command: string, args: readonly string[]): void {
  if (args.length > 0) throw new UsageError(`"${command}" takes no arguments`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(error instanceof UsageError ? `${message}\n${usage}\n` : `${message}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
