/** `localizer wait`: returns when the daemon, or the Services that were named, are ready. */
import { LocalizerError } from "../../errors.ts";
import type { DaemonClient } from "../../rpc/client.ts";
import type { Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";
import { parseDuration } from "../duration.ts";
import { one } from "../flag-values.ts";
import type { CliIo } from "../io.ts";
import { missingServices } from "../readiness.ts";
import { contextNamespace, parseTarget, type Target } from "../target.ts";

const firstPollMs = 50;
const maxPollMs = 500;
/** A daemon that answers at all does so at once; one that is asked at the last moment gets this much. */
const minCallMs = 250;
/** A conflict may pass: a program that is ending, another localizer that is being replaced. */
const conflictGraceMs = 3_000;

/** Exits with 0 when all is ready, with 6 when it takes too long, with 4, 5 or 7 when waiting is of no use. */
export const wait: Command = {
  name: "wait",
  operands: "[[NAMESPACE/]SERVICE...]",
  maxOperands: Infinity,
  summary: "return when the named Services are ready, or without names when the daemon is stable",
  details:
    "A Service is ready when it listens, has a pod that can answer, and its names are written. Without a namespace the context's is meant.\nExits with 6 when it takes longer than --timeout; at once with 4 when there is no such Service or it is left out, with 5 when a right is missing, with 7 when a conflict lasts.",
  flags: {
    timeout: { type: "string", value: "TIME", text: "how long to wait, as 500ms, 30s or 2m; default 1m" },
  },
  words: "services",
  async run({ io, flags, operands }) {
    const targets = operands.map((word) => parseTarget(word, "wait for"));
    const timeoutMs = parseDuration(one(flags, "timeout") ?? "1m", "timeout");
    const { client } = await daemonClient(flags, io);
    await using _client = client;
    const startedMs = io.clock.monotonic();
    const said = await poll(io, timeoutMs, (time) => look(client, targets, time));
    const seconds = ((io.clock.monotonic() - startedMs) / 1000).toFixed(1);
    io.stdout(`${said}, after ${seconds} s\n`);
    return 0;
  },
};

interface Look {
  readonly isReady: boolean;
  /** What is so, when ready; what is missing and why, when not. */
  readonly text: string;
}

/** How long it has been waiting, and how long it still may. */
interface Time {
  readonly passedMs: number;
  readonly leftMs: () => number;
}

/** Looks again and again, less and less often. Returns what the look that was ready said. */
async function poll({ clock }: CliIo, timeoutMs: number, lookNow: (time: Time) => Promise<Look>): Promise<string> {
  const startedMs = clock.monotonic();
  const leftMs = () => startedMs + timeoutMs - clock.monotonic();
  for (let delayMs = firstPollMs; ; delayMs = Math.min(delayMs * 1.5, maxPollMs)) {
    const { isReady, text } = await lookNow({ passedMs: clock.monotonic() - startedMs, leftMs });
    if (isReady) return text;
    const left = leftMs();
    if (left <= 0) throw new LocalizerError("timeout", `Not ready after ${timeoutMs / 1000} s: ${text}`);
    await clock.sleep(Math.min(delayMs, left));
  }
}

async function look(client: DaemonClient, targets: readonly Target[], { passedMs, leftMs }: Time): Promise<Look> {
  const call = () => ({ timeoutMs: Math.max(leftMs(), minCallMs) });
  // Asked first: when it is stable before the list is made, nothing is missing in the list.
  const isStable = await client.stable(call());
  if (targets.length === 0 && isStable) return { isReady: true, text: "The daemon is stable" };
  const list = await client.list(call());
  if (targets.length === 0)
    return { isReady: false, text: ["the daemon is still at work", ...list.notices].join("; ") };
  const named = targets.map((target) => ({ ...target, namespace: target.namespace ?? contextNamespace(list.cluster) }));
  const wanted = [...new Map(named.map((target) => [`${target.namespace}/${target.name}`, target])).entries()];
  const patience = { isStable, mayPass: passedMs < conflictGraceMs };
  const missing = missingServices(
    wanted.map(([, target]) => target),
    list,
    patience,
  );
  if (missing.length > 0) return { isReady: false, text: [...missing, ...list.notices].join("; ") };
  const names = wanted.map(([key]) => key).join(", ");
  return { isReady: true, text: `${names} ${wanted.length === 1 ? "is" : "are"} ready` };
}
