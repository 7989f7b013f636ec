/** Where root's help comes from: the process that started us, sudo, or nowhere because the user said so. */
import type { Clock } from "../clock.ts";
import { codeOf, throwIfAborted } from "../errors.ts";
import type { Helper } from "../helper/helper-role.ts";
import { launchHelperThroughSudo } from "../helper/launch-sudo.ts";
import { helperOfParent } from "../helper/parent.ts";
import { localHelper } from "../helper/unprivileged.ts";
import { detachedVariable } from "../model/detached.ts";
import { formatLoopbackRange } from "../model/loopback.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** A helper and what the rest of the daemon must know of it. */
export interface ChosenHelper {
  readonly helper: Helper;
  /** False when names are told instead of written and the socket has no public link. */
  readonly privileged: boolean;
}

/** What is known of a helper that did not answer in the end. */
export const untidiedWarning =
  "The helper did not end in order: names and addresses are mended by the next start or `localizer cleanup`";

/**
 * Without sudo, or refused by it, the daemon goes on without root and says so.
 * @throws LocalizerError `aborted` when the signal fires, `internal` when what answers is no helper of ours
 */
export async function chooseHelper(options: DaemonOptions, clock: Clock, signal: AbortSignal): Promise<ChosenHelper> {
  const { env, log } = options;
  const untidied = () => log.warn(untidiedWarning);
  const parent = await helperOfParent({ signal, clock, env, untidied });
  if (options.helper === "none") {
    await parent?.[Symbol.asyncDispose]();
    return { helper: localHelper({ log: log.child("helper"), env }), privileged: false };
  }
  if (parent !== undefined) return { helper: parent, privileged: true };
  log.info("Asking sudo for the helper that binds ports and writes the hosts file");
  try {
    const helper = await launchHelperThroughSudo({
      hostsFile: options.hostsFile,
      socketLink: options.socket,
      range: formatLoopbackRange(options.range),
      stateDir: options.rootStateDir,
      detach: env[detachedVariable] !== undefined,
      ...{ signal, clock, env, untidied },
    });
    return { helper, privileged: true };
  } catch (error) {
    // Ctrl-C at sudo's question ends sudo, and reaches this process about then.
    throwIfAborted(signal);
    if (codeOf(error) !== "denied") throw error;
    log.warn("Going on without root: names are not written, and ports below 1024 move up by 8000", { error });
    return { helper: localHelper({ log: log.child("helper"), env }), privileged: false };
  }
}
