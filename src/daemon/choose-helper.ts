/** Where root's help comes from: the process that started us, sudo, or nowhere because the user said so. */
import type { Clock } from "../clock.ts";
import type { Helper } from "../helper/client.ts";
import { launchHelperThroughSudo } from "../helper/launch-sudo.ts";
import { helperOfParent } from "../helper/parent.ts";
import { localHelper } from "../helper/unprivileged.ts";
import { addressAt } from "../model/loopback.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** A helper and what the rest of the daemon must know of it. */
export interface ChosenHelper {
  readonly helper: Helper;
  /** False when names are told instead of written and the socket has no public link. */
  readonly privileged: boolean;
}

/** @throws LocalizerError `denied` when sudo is missing or refuses */
export async function chooseHelper(options: DaemonOptions, clock: Clock, signal: AbortSignal): Promise<ChosenHelper> {
  const { env, log } = options;
  const parent = await helperOfParent({ signal, clock, env });
  if (options.helper === "none") {
    await parent?.[Symbol.asyncDispose]();
    return { helper: localHelper({ log: log.child("helper"), env }), privileged: false };
  }
  if (parent !== undefined) return { helper: parent, privileged: true };
  log.info("Asking sudo for the helper that binds ports and writes the hosts file");
  const helper = await launchHelperThroughSudo({
    hostsFile: options.hostsFile,
    socketLink: options.socket,
    range: rangeText(options),
    stateDir: options.rootStateDir,
    signal,
    clock,
    env,
  });
  return { helper, privileged: true };
}

function rangeText({ range }: DaemonOptions): string {
  return `${addressAt(range, 0)}/${32 - Math.log2(range.size)}`;
}
