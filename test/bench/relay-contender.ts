/** The ceiling: a TCP relay in Node, to an application on loopback. What a tool in Node could reach if the cluster cost nothing. */
import { join } from "node:path";
import { type Contender, localPortNames, type PortName } from "./contender.ts";
import { bytesRead } from "./process-usage.ts";
import { startTool, type ToolProcess } from "./tool-process.ts";

const startTimeoutMs = 20_000;
const names: readonly PortName[] = localPortNames;

/**
 * Processes: `local-application.ts`, `tcp-relay.ts`, and with a delay (each way, in ms) a `delay-relay.ts` between the two. What
 * counts as the tool's is tcp-relay's alone.
 */
export function relayContender(delayMs = 0): Contender {
  return {
    name: "relay",
    async start(signal) {
      await using all = new AsyncDisposableStack();
      const application = all.use(await startLocalApplication(signal));
      const targets = localPortNames.map((name) => `127.0.0.1:${portOf(application, name)}`);
      const delayed = delayMs === 0 ? undefined : all.use(await startDelayRelay(delayMs, targets, signal));
      const far = (target: string) => (delayed === undefined ? target : `127.0.0.1:${portOf(delayed, target)}`);
      const ports = targets.map((target) => far(target).split(":")[1] ?? "");
      const relay = all.use(await startScript("tcp-relay.ts", ports, ports.length, signal));
      const works = all.move();
      return {
        process: relay,
        address(port) {
          const index = names.indexOf(port);
          return { host: "127.0.0.1", port: Number(portOf(relay, ports[index] ?? port)) };
        },
        applicationBytesRead: () => bytesRead(application.pid),
        [Symbol.asyncDispose]: () => works.disposeAsync(),
      };
    },
  };
}

/** The test application on loopback. Its facts are `[name, port]`. */
export function startLocalApplication(signal: AbortSignal): Promise<ToolProcess> {
  return startScript("local-application.ts", [], localPortNames.length, signal);
}

/** A relay that holds everything so many ms, each way, in front of targets `HOST:PORT`. Its facts are `[target, port]`. */
export function startDelayRelay(
  delayMs: number,
  targets: readonly string[],
  signal: AbortSignal,
): Promise<ToolProcess> {
  return startScript("delay-relay.ts", [String(delayMs), ...targets], targets.length, signal);
}

/** The port that a script has said for a key. Throws for one that it has not named. */
export function portOf(tool: ToolProcess, key: string): string {
  const [, port] = tool.facts.find(([name]) => name === key) ?? [];
  if (port === undefined) throw new Error(`There is no port for "${key}"`);
  return port;
}

/** The scripts say `KEY PORT` for each port that they have opened. */
function startScript(file: string, args: readonly string[], lines: number, signal: AbortSignal): Promise<ToolProcess> {
  return startTool([process.execPath, join(import.meta.dirname, file), ...args], {
    env: { PATH: process.env.PATH },
    readLine: (line) => line.split(" "),
    lines,
    timeoutMs: startTimeoutMs,
    signal,
  });
}
