/** The daemon's socket as its two ends need it: taking it, choosing among several, waiting until it is gone. */
import type { Server } from "node:net";
import type { Clock } from "../clock.ts";
import { codeOf, LocalizerError } from "../errors.ts";
import { listenUnixSocket, probeUnixSocket } from "../net/unix-socket.ts";

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

/**
 * The path on which a daemon answers, in the order given; if none does, the first that is there; if none is, the last.
 * A socket of another user counts as one that is there.
 */
export async function chooseSocket(paths: readonly [string, ...string[]]): Promise<string> {
  let there: string | undefined;
  for (const path of paths) {
    const state = await probeUnixSocket(path).catch(() => "dead" as const);
    if (state === "live") return path;
    if (state === "dead") there ??= path;
  }
  return there ?? paths[paths.length - 1] ?? paths[0];
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
