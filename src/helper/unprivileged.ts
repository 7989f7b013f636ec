/** A helper without root: listeners of this process's own, names told instead of written. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Logger } from "../log.ts";
import { listenHere } from "../net/listen.ts";
import type { Helper } from "./client.ts";
import { ensurePrivateDirectory, sessionRuntimeDirectory } from "./runtime-directory.ts";

/** What it takes. */
export interface LocalHelperOptions {
  readonly log: Logger;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Binds what this user may bind (ports from 1024 on, as a rule), logs the hosts table when it changes, makes no link. Its
 * `gone` never fires.
 */
export function localHelper(options: LocalHelperOptions): Helper {
  const { log, env = process.env } = options;
  const uid = process.geteuid?.() ?? 0;
  let told = "";
  return {
    identity: { pid: process.pid, uid },
    listen: listenHere,
    gone: new AbortController().signal,
    async writeHosts(entries) {
      const lines = entries.map(({ address, names }) => `${address} ${names.join(" ")}`);
      const table = lines.join("\n");
      if (table === told) return;
      told = table;
      log.info("The hosts file is not written without the helper", { names: lines.length });
      for (const line of lines) log.debug("Not in the hosts file", { line });
    },
    async prepareRuntimeDir() {
      return (await sessionRuntimeDirectory(env)) ?? (await ensurePrivateDirectory(join(tmpdir(), `localizer-${uid}`)));
    },
    async linkSocket(target) {
      log.debug("The public socket path needs the helper", { target });
    },
    async [Symbol.asyncDispose]() {},
  };
}
