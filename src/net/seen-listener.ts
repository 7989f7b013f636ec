/** Sees in the kernel's tables (Linux, /proc/net/tcp) that a process of this machine listens, without a connection to it. */
import { readFile } from "node:fs/promises";
import type { Port } from "../model/port.ts";
import { listeningSockets } from "./listening-sockets.ts";

/** True when a process is seen that listens on the port, on an address that is dialled; false says nothing. Never rejects. */
export type SeesListener = (port: Port) => Promise<boolean>;

/** What it takes; tests have tables of their own. */
export interface SeenListenerOptions {
  readonly platform?: NodeJS.Platform;
  readonly read?: (path: string) => Promise<Buffer>;
}

/** Where `dial-local` finds somebody. */
const dialled: ReadonlySet<string> = new Set(["127.0.0.1", "0.0.0.0", "::1", "::"]);

/** Makes the one who looks; on other systems it sees nothing. What a firewall leads elsewhere, as for containers, stands in no table. */
export function seenListener({ platform = process.platform, read = readFile }: SeenListenerOptions = {}): SeesListener {
  if (platform !== "linux") return async () => false;
  return async (port) => {
    const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")} `;
    for (const name of ["tcp", "tcp6"]) {
      // A kernel without IPv6 has no second table.
      const table = await read(`/proc/self/net/${name}`).then(String, () => "");
      // There may be tens of thousands of lines.
      const lines = table.split("\n").filter((line) => line.includes(hex));
      const sockets = listeningSockets(lines.join("\n"));
      if (sockets.some((socket) => socket.port === port && dialled.has(socket.address))) return true;
    }
    return false;
  };
}
