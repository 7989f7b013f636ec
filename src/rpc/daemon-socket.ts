/** The daemon's socket as its two ends need it: taking it, choosing among several, waiting until it is gone. */
import type { Server } from "node:net";
import { dirname } from "node:path";
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import { listenUnixSocket } from "../net/listen-unix-socket.ts";
import { folderPrivacy } from "../net/private-folder.ts";
import { probeUnixSocket } from "../net/unix-socket.ts";

/**
 * Lets the daemon's server listen, as `listenUnixSocket` does.
 * @throws LocalizerError `conflict` when another daemon answers there, `denied` without the right
 */
export async function takeDaemonSocket(server: Server, socketPath: string): Promise<void> {
  if ((await probeUnixSocket(socketPath)) === "live") {
    throw new LocalizerError("conflict", `Cannot start: another localizer daemon answers on "${socketPath}"`);
  }
  await listenUnixSocket(server, socketPath);
}

/** Where a user's daemon may answer. */
export interface SocketPlaces {
  /** A path that only root can make: it may lead to whatever root let it lead to. */
  readonly wellKnown: string;
  readonly own: string;
  /** In a folder where anybody may make things; the one with the socket must be the user's. */
  readonly fallback: string;
}

/**
 * The path on which a daemon answers, in the order of the interface; if none does, the well-known one when it is there,
 * else the user's own. A socket of another user counts as one on which nobody answers. Nothing is asked, and nothing
 * named, that lies in a folder of which the user is not the only master.
 * @throws LocalizerError `denied` when that leaves no path
 */
export async function chooseSocket({ wellKnown, own, fallback }: SocketPlaces, uid: number): Promise<string> {
  const state = await probeUnixSocket(wellKnown).catch(() => "dead" as const);
  if (state === "live") return wellKnown;
  for (const path of [own, fallback]) {
    if (folderPrivacy(dirname(path), uid) === "private" && (await isLive(path))) return path;
  }
  if (state === "dead") return wellKnown;
  if (folderPrivacy(dirname(own), uid) !== "open") return own;
  throw new LocalizerError("denied", `Cannot use "${dirname(own)}": want a folder that only user ${uid} can enter`);
}

async function isLive(socketPath: string): Promise<boolean> {
  return (await probeUnixSocket(socketPath).catch(() => "dead" as const)) === "live";
}

/**
 * Resolves when nobody answers on the socket any more.
 * @throws LocalizerError `timeout` when somebody still does after `timeoutMs`, `aborted` when the signal fires
 */
export async function daemonGone(
  socketPath: string,
  options: { readonly clock: Clock; readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  const { clock, timeoutMs, signal } = options;
  const deadline = clock.monotonic() + timeoutMs;
  while ((await probeDaemon(socketPath)) === "live") {
    if (clock.monotonic() >= deadline) {
      throw new LocalizerError("timeout", `The daemon on "${socketPath}" still answers after ${timeoutMs / 1000} s`);
    }
    await clock.sleep(50, signal);
  }
}

async function probeDaemon(socketPath: string): Promise<"live" | "dead" | "absent"> {
  try {
    return await probeUnixSocket(socketPath);
  } catch (error) {
    // The socket belongs to somebody else by now, so it is not the daemon that was there.
    if (codeOf(error) === "denied") return "absent";
    throw error;
  }
}
