/** Removes what killed runs have left, without a daemon: the helper does so whenever it starts, so it is started and ended. */
import { lstatSync, readdirSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock as clock } from "../clock.ts";
import type { Helper } from "../helper/helper-role.ts";
import { launchHelperThroughSudo } from "../helper/launch-sudo.ts";
import { helperOfParent } from "../helper/parent.ts";
import { formatLoopbackRange } from "../model/loopback.ts";
import { folderPrivacy } from "../net/private-folder.ts";
import { probeUnixSocket } from "../net/unix-socket.ts";
import { privateSocketPath } from "../rpc/socket-path.ts";
import { untidiedWarning } from "./choose-helper.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/**
 * Resolves to what was removed, in a few words each. Nothing of a daemon that lives is touched.
 * @throws LocalizerError `denied` when sudo is missing or refuses, `aborted` when the signal fires
 */
export async function cleanUp(options: DaemonOptions, signal: AbortSignal): Promise<readonly string[]> {
  const { env, log } = options;
  const untidied = () => log.warn(untidiedWarning);
  const parent = await helperOfParent({ signal, clock, env, untidied });
  const removed = await removeDeadSockets(dirname(privateSocketPath(env, process.geteuid?.() ?? 0)));
  if (options.helper === "none") {
    await parent?.[Symbol.asyncDispose]();
    return removed;
  }
  const helper = parent ?? (await launched(options, { signal, untidied }, removed));
  await helper[Symbol.asyncDispose]();
  return [...helper.removed, ...removed];
}

/** What is removed already is said, should the rest be refused. */
async function launched(
  options: DaemonOptions,
  { signal, untidied }: { readonly signal: AbortSignal; readonly untidied: () => void },
  removed: readonly string[],
): Promise<Helper> {
  const { env, log } = options;
  try {
    return await launchHelperThroughSudo({
      hostsFile: options.hostsFile,
      socketLink: options.socket,
      range: formatLoopbackRange(options.range),
      stateDir: options.rootStateDir,
      ...{ signal, clock, env, untidied },
    });
  } catch (error) {
    for (const what of removed) log.info("Removed", { what });
    throw error;
  }
}

/** The user's own, in a folder that nobody else may enter. */
async function removeDeadSockets(folder: string): Promise<readonly string[]> {
  if (folderPrivacy(folder, process.geteuid?.() ?? 0) !== "private") return [];
  const removed: string[] = [];
  for (const name of readdirSync(folder).filter((each) => each.endsWith(".sock"))) {
    const path = join(folder, name);
    const isSocket = lstatSync(path, { throwIfNoEntry: false })?.isSocket() ?? false;
    if (!isSocket || (await probeUnixSocket(path).catch(() => "live")) !== "dead") continue;
    unlinkSync(path);
    removed.push(`the socket "${path}"`);
  }
  return removed;
}
