/** A helper without root: listeners of this process's own, names told instead of written. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "../log.ts";
import { listenHere } from "../net/listen.ts";
import type { Helper } from "./helper-role.ts";
import { ensurePrivateDirectory, sessionRuntimeDirectory } from "./runtime-directory.ts";
import { shiftedListen } from "./shifted-listen.ts";

/** What it takes. */
export interface LocalHelperOptions {
  readonly log: Logger;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Binds what this user may bind; a low port that he may not moves up, see `shiftedListen`. Logs the hosts table when it
 * changes, makes no link. Its `gone` never fires.
 */
export function localHelper(options: LocalHelperOptions): Helper {
  const { log, env = process.env } = options;
  const uid = process.geteuid?.() ?? 0;
  let told = "";
  let isSaid = false;
  return {
    identity: { pid: process.pid, uid },
    removed: [],
    listen: shiftedListen(listenHere),
    gone: new AbortController().signal,
    tidied: true,
    async writeHosts(entries) {
      const lines = entries.map(({ address, names }) => `${address} ${names.join(" ")}`);
      const table = lines.join("\n");
      if (table === told) return;
      told = table;
      if (!isSaid) log.info("The hosts file is not written without root; `localizer list -o hosts` prints its lines");
      isSaid = true;
      for (const line of lines) log.debug("Not in the hosts file", { line });
    },
    async release() {},
    async prepareRuntimeDir() {
      return (await sessionRuntimeDirectory(env)) ?? (await ensurePrivateDirectory(join(tmpdir(), `localizer-${uid}`)));
    },
    async linkSocket(target) {
      log.debug("The public socket path needs the helper", { target });
    },
    async [Symbol.asyncDispose]() {},
  };
}
