/** Where the daemon's real socket goes: a folder of the user's own; without root, wherever the user says. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { hostsInstance } from "../helper/config.ts";
import type { Helper } from "../helper/helper-role.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** Who makes the folder. */
export interface SocketPlace {
  readonly helper: Pick<Helper, "prepareRuntimeDir">;
  readonly privileged: boolean;
}

/**
 * Opens something on the socket's path. Another daemon of the user that ends takes the folder with it while nothing lies
 * there; then it is asked for once more.
 * @throws what `open` throws
 */
export async function openAtSocket<T>(
  options: Pick<DaemonOptions, "socket">,
  place: SocketPlace,
  open: (socketPath: string) => Promise<T>,
): Promise<T> {
  const path = await socketPath(options, place);
  try {
    return await open(path);
  } catch (error) {
    if (existsSync(dirname(path))) throw error;
    return await open(await socketPath(options, place));
  }
}

/** With a helper --socket names the link, so the real one gets a name of its own for each link. */
async function socketPath(
  { socket }: Pick<DaemonOptions, "socket">,
  { helper, privileged }: SocketPlace,
): Promise<string> {
  if (!privileged && socket !== undefined) return resolve(socket);
  const instance = hostsInstance(socket ?? defaultSocketLink);
  return join(await helper.prepareRuntimeDir(), instance === "default" ? "localizer.sock" : `${instance}.sock`);
}
