/** `kubectl port-forward`, of the cluster's own version, to one Service with all the ports that the lab's has. */
import { kubectlEnvironment } from "../cluster/kubectl.ts";
import { applicationPorts, type Contender } from "./contender.ts";
import type { Lab } from "./lab.ts";
import { startTool } from "./tool-process.ts";

const startTimeoutMs = 30_000;

/** Forwards to the Service "app". Ready when it has printed where each port is. */
export function kubectlContender(lab: Lab): Contender {
  return {
    name: "kubectl",
    async start(signal) {
      const ports = lab.ports.map((port) => `:${applicationPorts[port]}`);
      const where = ["--namespace", lab.namespace, "--address", "127.0.0.1"];
      const tool = await startTool([lab.cluster.kubectlPath, "port-forward", ...where, "service/app", ...ports], {
        env: { ...kubectlEnvironment(lab.cluster.layout), KUBECONFIG: lab.cluster.kubeconfig },
        readLine: (line) => /^Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)/.exec(line)?.slice(1),
        lines: ports.length,
        timeoutMs: startTimeoutMs,
        signal,
      });
      return {
        process: tool,
        address(port) {
          const fact = tool.facts.find(([, remote]) => remote === String(applicationPorts[port]));
          if (fact === undefined) throw new Error(`kubectl does not forward to port ${applicationPorts[port]}`);
          return { host: "127.0.0.1", port: Number(fact[0]) };
        },
        applicationBytesRead: lab.applicationBytesRead,
        [Symbol.asyncDispose]: () => tool[Symbol.asyncDispose](),
      };
    },
  };
}
