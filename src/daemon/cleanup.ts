/** Removes what killed runs have left, without a daemon: the helper does so whenever it starts, so it is started and ended. */
import { lstatSync, readdirSync, unlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock as clock } from "../clock.ts";
import { launchHelperThroughSudo } from "../helper/launch-sudo.ts";
import { helperOfParent } from "../helper/parent.ts";
import { formatLoopbackRange } from "../model/loopback.ts";
import { folderPrivacy } from "../net/private-folder.ts";
import { probeUnixSocket } from "../net/unix-socket.ts";
import { privateSocketPath } from "../rpc/socket-path.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/**
 * Resolves to what was removed, in a few words each. Nothing of a daemon that lives is touched.
 * @throws LocalizerError `denied` when sudo is missing or refuses, `aborted` when the signal fires
 */
export async function cleanUp(options: DaemonOptions, signal: AbortSignal): Promise<readonly string[]> {
  const { env } = options;
  const parent = await helperOfParent({ signal, clock, env });
  const removed = removeDeadSockets(dirname(privateSocketPath(env, process.geteuid?.() ?? 0)));
  if (options.helper === "none") {
    await parent?.[Symbol.asyncDispose]();
    return await removed;
  }
  const helper =
    parent ??
    (await launchHelperThroughSudo({
      hostsFile: options.hostsFile,
      socketLink: options.socket,
      range: formatLoopbackRange(options.range),
      stateDir: options.rootStateDir,
      ...{ signal, clock, env },
    }));
  await helper[Symbol.asyncDispose]();
  return [...helper.removed, ...(await removed)];
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
