/** `localizer wait`: returns when the daemon, or the Services that were named, are ready. */
import { LocalizerError } from "../../errors.ts";
import { isDnsLabel } from "../../model/host-name.ts";
import type { DaemonClient } from "../../rpc/client.ts";
import type { ClusterInfo } from "../../rpc/listed.ts";
import type { Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";
import { parseDuration } from "../duration.ts";
import { one } from "../flag-values.ts";
import type { CliIo } from "../io.ts";
import { missingServices } from "../readiness.ts";

const firstPollMs = 50;
const maxPollMs = 500;
/** A daemon that answers at all does so at once; one that is asked at the last moment gets this much. */
const minCallMs = 2_000;

/** Exits with 0 when all is ready, with 6 when it takes too long, with 4 when there is no such Service. */
export const wait: Command = {
  name: "wait",
  operands: "[[NAMESPACE/]SERVICE...]",
  maxOperands: Infinity,
  summary: "return when the named Services are ready, or without names when the daemon is stable",
  details:
    "A Service is ready when it listens and has a pod that can answer. Without a namespace the context's is meant.\nExits with 6 when it takes longer than --timeout, and with 4 when there is no such Service.",
  flags: {
    timeout: { type: "string", value: "TIME", text: "how long to wait, as 500ms, 30s or 2m; default 1m" },
  },
  words: "services",
  async run({ io, flags, operands }) {
    const targets = operands.map(parseTarget);
    const timeoutMs = parseDuration(one(flags, "timeout") ?? "1m", "timeout");
    const { client } = await daemonClient(flags, io);
    await using _client = client;
    const startedMs = io.clock.monotonic();
    const said = await poll(io, timeoutMs, () => look(client, targets, timeoutMs));
    const seconds = ((io.clock.monotonic() - startedMs) / 1000).toFixed(1);
    io.stdout(`${said}, after ${seconds} s\n`);
    return 0;
  },
};

/** Without a namespace the context's is meant. */
interface Target {
  readonly namespace: string | undefined;
  readonly name: string;
}

interface Look {
  readonly isReady: boolean;
  /** What is so, when ready; what is missing and why, when not. */
  readonly text: string;
}

/** Looks again and again, less and less often. Returns what the look that was ready said. */
async function poll({ clock }: CliIo, timeoutMs: number, lookNow: () => Promise<Look>): Promise<string> {
  const deadline = clock.monotonic() + timeoutMs;
  for (let delayMs = firstPollMs; ; delayMs = Math.min(delayMs * 1.5, maxPollMs)) {
    const { isReady, text } = await lookNow();
    if (isReady) return text;
    const leftMs = deadline - clock.monotonic();
    if (leftMs <= 0) throw new LocalizerError("timeout", `Not ready after ${timeoutMs / 1000} s: ${text}`);
    await clock.sleep(Math.min(delayMs, leftMs));
  }
}

async function look(client: DaemonClient, targets: readonly Target[], timeoutMs: number): Promise<Look> {
  const call = { timeoutMs: Math.max(timeoutMs, minCallMs) };
  // Asked first: when it is stable before the list is made, nothing is missing in the list.
  const isStable = await client.stable(call);
  if (targets.length === 0) {
    return { isReady: isStable, text: isStable ? "The daemon is stable" : "the daemon is still at work" };
  }
  const list = await client.list(call);
  const wanted = targets.map((target) => ({ ...target, namespace: target.namespace ?? namespaceOf(list.cluster) }));
  const missing = missingServices(wanted, list, isStable);
  if (missing.length > 0) return { isReady: false, text: missing.join("; ") };
  const names = wanted.map(({ namespace, name }) => `${namespace}/${name}`).join(", ");
  return { isReady: true, text: `${names} ${wanted.length === 1 ? "is" : "are"} ready` };
}

/** The context's namespace, as kubectl takes it. */
function namespaceOf(cluster: ClusterInfo | undefined): string {
  return cluster?.namespace || "default";
}

/** @throws LocalizerError `usage` when the word is neither NAMESPACE/SERVICE nor SERVICE */
function parseTarget(word: string): Target {
  const parts = word.split("/");
  const [first = "", second] = parts;
  if (parts.length > 2 || !parts.every(isDnsLabel)) {
    throw new LocalizerError("usage", `Cannot wait for "${word}": want NAMESPACE/SERVICE, or SERVICE alone`);
  }
  return second === undefined ? { namespace: undefined, name: first } : { namespace: first, name: second };
}
