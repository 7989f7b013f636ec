/** Where a user's claims on clusters lie: in one folder for all of his daemons, whatever state folder each of them was given. */
import { rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import type { Clock } from "../clock.ts";
import { codeOf } from "../errors.ts";
import { ensurePrivateDirectory, sessionRuntimeDirectory } from "../helper/runtime-directory.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import { fallbackSocketPath, privateSocketPath } from "../rpc/socket-path.ts";
import { type ClusterClaim, claimCluster } from "./cluster-claim.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** What is said of a cluster for its claim. */
export interface ClaimedCluster {
  readonly clusterName: string;
  readonly server: URL;
}

/**
 * Keeps a second daemon of this user from serving the same cluster. A folder that cannot be used costs that care, not the
 * daemon: it is logged.
 * @throws LocalizerError `conflict` when another daemon of this user serves it
 */
export async function claimFor(
  { env, log }: Pick<DaemonOptions, "env" | "log">,
  { clusterName, server }: ClaimedCluster,
  clock: Clock,
): Promise<ClusterClaim> {
  const uid = process.geteuid?.() ?? 0;
  const foundSockets = [defaultSocketLink, privateSocketPath(env, uid), fallbackSocketPath(tmpdir(), uid)];
  const claim = async () =>
    await claimCluster({ folder: await claimFolder(env), serverUrl: server.href, clusterName, foundSockets, clock });
  try {
    // A daemon that ends may remove the folder just now.
    return await claim().catch((error: unknown) => (codeOf(error) === "conflict" ? Promise.reject(error) : claim()));
  } catch (error) {
    if (codeOf(error) === "conflict") throw error;
    log.warn("Cannot tell whether another localizer of yours serves this cluster", { error });
    const nothing = new AsyncDisposableStack();
    return { answersOn: async () => {}, [Symbol.asyncDispose]: () => nothing.disposeAsync() };
  }
}

/** Removes the folder that is nobody's but ours, once nothing lies in it any more: what a session has, it keeps. */
export async function removeTemporaryFolder(): Promise<void> {
  await rmdir(temporaryFolder()).catch(() => {});
}

/**
 * Not the folder below /run, which the helper makes: there is none when the first daemon claims, and one when the second does.
 * @throws LocalizerError `denied` when it can be entered by others
 */
async function claimFolder(env: NodeJS.ProcessEnv): Promise<string> {
  return (await sessionRuntimeDirectory(env)) ?? (await ensurePrivateDirectory(temporaryFolder()));
}

function temporaryFolder(): string {
  return dirname(fallbackSocketPath(tmpdir(), process.geteuid?.() ?? 0));
}
