/** Where the daemon's real socket goes: a folder of the user's own; without root, wherever the user says. */
import { join, resolve } from "node:path";
import type { Helper } from "../helper/client.ts";
import { hostsInstance } from "../helper/config.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import type { DaemonOptions } from "./daemon-options.ts";

/** With a helper --socket names the link, so the real one gets a name of its own for each link. */
export async function socketPath(options: DaemonOptions, helper: Helper, privileged: boolean): Promise<string> {
  if (!privileged && options.socket !== undefined) return resolve(options.socket);
  const instance = hostsInstance(options.socket ?? defaultSocketLink);
  return join(await helper.prepareRuntimeDir(), instance === "default" ? "localizer.sock" : `${instance}.sock`);
}
