/** The ceiling: a TCP relay in Node, to an application on loopback. What a tool in Node could reach if the cluster cost nothing. */
import { join } from "node:path";
import { applicationPorts, type Contender, type PortName } from "./contender.ts";
import { bytesRead } from "./process-usage.ts";
import { startTool, type ToolProcess } from "./tool-process.ts";

const startTimeoutMs = 20_000;
const portNames: readonly string[] = Object.keys(applicationPorts);

/** Two processes, `local-application.ts` and `tcp-relay.ts`; what counts as the tool's is the relay's alone. */
export const relayContender: Contender = {
  name: "relay",
  async start(signal) {
    await using all = new AsyncDisposableStack();
    const application = all.use(await startScript("local-application.ts", [], signal));
    const targets = portNames.map((name) => portOf(application, name));
    const relay = all.use(await startScript("tcp-relay.ts", targets, signal));
    const works = all.move();
    return {
      process: relay,
      address: (port: PortName) => ({ host: "127.0.0.1", port: Number(portOf(relay, portOf(application, port))) }),
      applicationBytesRead: () => bytesRead(application.pid),
      [Symbol.asyncDispose]: () => works.disposeAsync(),
    };
  },
};

/** The scripts say `KEY PORT` for each port that they have opened. */
function startScript(file: string, args: readonly string[], signal: AbortSignal): Promise<ToolProcess> {
  return startTool([process.execPath, join(import.meta.dirname, file), ...args], {
    env: { PATH: process.env.PATH },
    readLine: (line) => line.split(" "),
    lines: portNames.length,
    timeoutMs: startTimeoutMs,
    signal,
  });
}

function portOf(tool: ToolProcess, key: string): string {
  const [, port] = tool.facts.find(([name]) => name === key) ?? [];
  if (port === undefined) throw new Error(`The relay has no port for "${key}"`);
  return port;
}
