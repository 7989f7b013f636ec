/** localizer, run from source as root, for one namespace, with a hosts file, a socket and addresses of its own. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applicationPorts, type Contender } from "./contender.ts";
import type { Lab } from "./lab.ts";
import { startTool, type ToolProcess } from "./tool-process.ts";

const program = join(import.meta.dirname, "..", "..", "bin", "localizer.ts");
const startTimeoutMs = 300_000;

/** Serves the lab's namespace. Ready when it has printed its summary: everything has a name and a listener. */
export function localizerContender(lab: Lab): Contender {
  return {
    name: "localizer",
    async start(signal) {
      await using all = new AsyncDisposableStack();
      const folder = await mkdtemp(join(tmpdir(), "localizer-bench-run-"));
      all.defer(() => rm(folder, { recursive: true, force: true }));
      const hostsFile = join(folder, "hosts");
      await writeFile(hostsFile, "127.0.0.1 localhost\n");
      const tool = all.use(await startLocalizer(lab, folder, hostsFile, signal));
      const [[summary = ""] = []] = tool.facts;
      // Another localizer on this machine may serve the same cluster, and so have our addresses.
      if (/could not be opened|without a tunnel/.test(summary))
        throw new Error(`localizer does not serve all: ${summary}`);
      const addresses = readHosts(await readFile(hostsFile, "utf8"));
      const works = all.move();
      return {
        process: tool,
        address(port, service = "app") {
          const host = addresses.get(`${service}.${lab.namespace}`);
          if (host === undefined) throw new Error(`"${service}.${lab.namespace}" is not in localizer's hosts file`);
          return { host, port: applicationPorts[port] };
        },
        applicationBytesRead: lab.applicationBytesRead,
        [Symbol.asyncDispose]: () => works.disposeAsync(),
      };
    },
  };
}

function startLocalizer(lab: Lab, folder: string, hostsFile: string, signal: AbortSignal): Promise<ToolProcess> {
  const { PATH, HOME } = process.env;
  const flags = {
    kubeconfig: lab.cluster.kubeconfig,
    namespace: lab.namespace,
    "hosts-file": hostsFile,
    socket: join(folder, "socket"),
    "root-state-dir": join(folder, "root-state"),
    "state-dir": join(folder, "state"),
    "ip-cidr": `127.${100 + Math.floor(Math.random() * 100)}.0.0/16`,
  };
  return startTool(
    [process.execPath, program, ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])],
    {
      // Nothing of the caller's: with SUDO_UID it would work for another user, with KUBECONFIG for another cluster.
      env: { PATH, HOME },
      readLine: (line) => (/^\d+ services of /.test(line) ? [line] : undefined),
      lines: 1,
      timeoutMs: startTimeoutMs,
      signal,
    },
  );
}

function readHosts(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").map((line) => line.replace(/#.*/, "").trim().split(/\s+/));
  return new Map(lines.flatMap(([address = "", ...names]) => names.map((name) => [name, address] as const)));
}
