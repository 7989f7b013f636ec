/** The system's own programs that the helper calls on macOS, and what the machine says of its loopback interface. */
import { execFile } from "node:child_process";
import { networkInterfaces } from "node:os";

/** Runs a program to its end. Rejects when it does not exit with 0. */
export type RunCommand = (command: string, args: readonly string[]) => Promise<void>;

/** The machine, as far as aliases and caches go. */
export interface HelperSystem {
  readonly platform: NodeJS.Platform;
  readonly run: RunCommand;
  /** The addresses that the loopback interface has now. */
  readonly loopbackAddresses: () => ReadonlySet<string>;
}

const timeoutMs = 10_000;

/** This machine. */
export const thisSystem: HelperSystem = {
  platform: process.platform,
  run: (command, args) =>
    new Promise((resolve, reject) => {
      // Nothing of the caller's environment reaches a program of root's.
      const child = execFile(command, args, { env: {}, timeout: timeoutMs }, (error) =>
        error === null ? resolve() : reject(error),
      );
      child.stdin?.destroy();
    }),
  loopbackAddresses: () => new Set((networkInterfaces().lo0 ?? []).map(({ address }) => address)),
};

/**
 * Lets programs see a new hosts file at once: macOS caches names in two places. Best effort; other systems read the file.
 */
export async function flushDnsCache({ platform, run }: HelperSystem): Promise<void> {
  if (platform !== "darwin") return;
  await run("/usr/bin/dscacheutil", ["-flushcache"]).catch(() => {});
  await run("/usr/bin/killall", ["-HUP", "mDNSResponder"]).catch(() => {});
}
