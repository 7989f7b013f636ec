/** Row exposed: what a caller in the cluster feels when a process on this machine stands in for the workload. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { everyPort } from "./contender.ts";
import { type exposedPorts, handMadeExposure, localizerExposure, type RunningExposure } from "./exposure-contenders.ts";
import type { Lab } from "./lab.ts";
import { cpuSeconds } from "./process-usage.ts";
import type { Measure } from "./results.ts";
import type { Row } from "./row.ts";
import { sshProgram } from "./ssh-program.ts";
import { spreadOf } from "./statistics.ts";
import { startTool } from "./tool-process.ts";
import { inTurnsRunning } from "./turns.ts";

const workers = 4;
const warmUpConnections = 50;
/** Till V8 has compiled what the bytes pass through. */
const warmUpTransfers = 2;
const callTimeoutMs = 240_000;
/** What a dropped download leaves on its way is still paid for, and must not meet the next sample. */
const restMs = 1_500;
/** A sample is a third of a second at the best, which a neighbour on the machine doubles: of several the middle one. */
const transfers = 3;

const less = { better: "less" } as const;
const more = { better: "more" } as const;
const measures = {
  median: { ...less, name: "round trip, p50", unit: "ms", reach: "≤ 1.3 × kubectl" },
  tail: { ...less, name: "round trip, p99", unit: "ms" },
  up: { ...more, name: "from the caller", unit: "MB/s", reach: "≥ 0.95 × kubectl" },
  down: { ...more, name: "to the caller", unit: "MB/s", reach: "≥ 0.95 × kubectl" },
  upCpu: { ...less, name: "from the caller, tool CPU", unit: "s/GB" },
  downCpu: { ...less, name: "to the caller, tool CPU", unit: "s/GB" },
  rate: { ...more, name: "new connections", unit: "1/s", reach: "≥ 1 × kubectl" },
  cost: { ...less, name: "tool CPU per connection", unit: "ms" },
  failed: { ...less, name: "connections that failed", unit: "", reach: "0" },
} as const satisfies Record<string, Measure>;

const limits = `Every byte passes the API server's TLS, the kubelet, the container runtime and sshd, which all share the processors with the tool, and
is ciphered twice on this machine (SSH within TLS). localizer does both in one thread; ssh and kubectl are two processes, and so have both processors where
there are two. ssh2 makes each packet of 32 KiB anew, as cleartext and as ciphertext, and Node gives all that is read new memory: collecting
young buffers as bytes pass keeps that small. A new connection costs localizer an SSH channel, a dial to
::1 and 127.0.0.1 in turn and the objects for both in JavaScript, ssh some system calls. A tool's first transfers are slower, until
its code is compiled.`;

/** The same pod, sshd and application for both. */
export const exposedRow: Row = {
  limits,
  async measure({ settings, recorder, openLab, signal, log }) {
    const { repeats, exposedEchoes, exposedConnections, exposedBytes } = settings;
    recorder.note(
      "the caller runs in the node's network and calls the pod's address: pod with sshd, container runtime, kubelet, API server, tool, application on loopback",
    );
    recorder.note(
      "kubectl: OpenSSH's ssh -R through kubectl port-forward, to a pod like localizer's with the same sshd, its configuration and cipher (AES-GCM, not ssh's own first choice); its CPU is that of both processes",
    );
    recorder.note(
      `round trip: ${exposedEchoes} echoes of 64 bytes on one connection, one after the other; ${exposedBytes / 2 ** 20} MiB on one connection each way, median of ${transfers} after ${warmUpTransfers} for warm-up; ${exposedConnections} connections of ${workers} workers, each with a byte there and back`,
    );
    await using lab = await openLab({ ports: everyPort, pods: 2 });
    const ssh = await sshProgram(log, signal);
    const [megabytes, gigabytes] = [exposedBytes / 1e6, exposedBytes / 1e9];
    await inTurnsRunning<RunningExposure>(
      [localizerExposure(lab), handMadeExposure(lab, ssh)],
      { repeats, signal, log, recorder },
      {
        async warmUp(running) {
          const caller = callerOf(lab, running, signal);
          await caller.call("connections", "echo", warmUpConnections, workers);
          for (let transfer = 0; transfer < warmUpTransfers; transfer++) {
            await caller.call("upload", "sink", exposedBytes, running.applicationPid);
            await caller.call("download", "source", exposedBytes);
          }
        },
        async take({ name }, running) {
          const caller = callerOf(lab, running, signal);
          const trips = await caller.call("round-trips", "echo", exposedEchoes);
          const made = await caller.call("connections", "echo", exposedConnections, workers);
          const ways = { up: [] as Called[], down: [] as Called[] };
          for (let transfer = 0; transfer < transfers; transfer++) {
            ways.up.push(await caller.call("upload", "sink", exposedBytes, running.applicationPid));
            ways.down.push(await caller.call("download", "source", exposedBytes));
          }
          const [p50 = 0, p99 = 0] = trips.took;
          const [seconds = 0, failed = 0] = made.took;
          const worked = exposedConnections - failed;
          const speed = (calls: readonly Called[]) => spreadOf(calls.map(({ took: [s = 0] }) => megabytes / s)).median;
          const cpu = (calls: readonly Called[]) => spreadOf(calls.map((one) => one.cpu / gigabytes)).median;
          return () =>
            recorder.addAll(
              [
                [measures.median, p50],
                [measures.tail, p99],
                [measures.up, speed(ways.up)],
                [measures.upCpu, cpu(ways.up)],
                [measures.down, speed(ways.down)],
                [measures.downCpu, cpu(ways.down)],
                [measures.rate, worked / seconds],
                [measures.cost, (made.cpu * 1000) / worked],
                [measures.failed, failed],
              ],
              name,
            );
        },
      },
    );
  },
};

/** What pod-caller.ts said, and what the tool spent meanwhile and until the rest of it was over. */
interface Called {
  readonly took: readonly number[];
  readonly cpu: number;
}

type Call = (kind: string, port: (typeof exposedPorts)[number], ...numbers: readonly number[]) => Promise<Called>;

function callerOf(lab: Lab, running: RunningExposure, signal: AbortSignal): { readonly call: Call } {
  const script = join(import.meta.dirname, "pod-caller.ts");
  const inside = ["nsenter", `--net=${lab.cluster.layout.netnsPath}`, "--", process.execPath, script];
  return {
    async call(kind, port, ...numbers) {
      const { host, port: number } = running.address(port);
      const { pids } = running;
      const before = cpuSeconds(pids);
      await using caller = await startTool([...inside, kind, `${host}:${number}`, ...numbers.map(String)], {
        env: { PATH: process.env.PATH },
        readLine: (line) => (line.startsWith("took ") ? line.split(" ").slice(1) : undefined),
        lines: 1,
        timeoutMs: callTimeoutMs,
        signal,
      });
      await sleep(restMs, undefined, { signal });
      return { took: (caller.facts[0] ?? []).map(Number), cpu: cpuSeconds(pids) - before };
    },
  };
}
