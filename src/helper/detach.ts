/**
 * The helper of `localizer up`: sudo starts a first stage, which starts the helper again in a session of its own and ends, and sudo
 * with it. So neither a closed terminal nor the end of the pseudo-terminal that sudo may have made reaches the helper.
 */
import { spawn } from "node:child_process";
import { fstatSync } from "node:fs";

/** The flag that makes the helper's program the first stage. */
export const detachFlag = "--detach";

/**
 * Starts the second stage with the channel, which is on descriptor 0 under no name that Node knows: a Node that knew it would
 * read from it at once and swallow what is meant for the second stage.
 */
export function startSecondStage(program: string, argv: readonly string[]): void {
  const words = argv.filter((word) => word !== detachFlag);
  // What sudo relays ends with sudo; only a file stays what it is.
  const output = fstatSync(2).isFile() ? 2 : "ignore";
  const child = spawn(process.execPath, [program, ...words], {
    detached: true,
    stdio: [0, output, output],
    env: { ...process.env, NODE_CHANNEL_FD: "0", NODE_CHANNEL_SERIALIZATION_MODE: "json" },
  });
  child.unref();
}
