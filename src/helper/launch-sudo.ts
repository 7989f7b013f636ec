/**
 * Starts the helper from the user's process: sudo, asked for one small program and nothing more, with the channel on its
 * descriptor 0, the only one besides output that sudo keeps. The user's environment, agent and terminal stay as they are.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Clock } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { mallocWords } from "../model/malloc-settings.ts";
import { channelToChild } from "./channel.ts";
import { type HelperArguments, helperArgv } from "./config.ts";
import { connectHelper } from "./connect-helper.ts";
import { detachFlag } from "./detach.ts";
import type { Helper } from "./helper-role.ts";

/** Bounds for the helper, and how it is started. */
export interface SudoLaunchOptions extends HelperArguments {
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
  readonly env?: NodeJS.ProcessEnv;
  /** As in `ConnectOptions`. */
  readonly untidied?: () => void;
  /** The helper leaves this terminal's session and sudo ends: for a daemon that outlives its terminal. */
  readonly detach?: boolean;
  /** The program that grants root, called as sudo is. */
  readonly sudo?: string;
  /** The Node that runs the helper; this one by default. */
  readonly node?: string;
}

/**
 * Asks for the password on the terminal if sudo wants one, and resolves when the helper serves.
 * @throws LocalizerError `denied` when sudo is missing or refuses, with what to do instead, `aborted` when the signal fires
 */
export async function launchHelperThroughSudo(options: SudoLaunchOptions = {}): Promise<Helper> {
  throwIfAborted(options.signal);
  // Detached, the helper's words go where the log goes: what reads this process's output ends before it.
  const output = options.detach ? 2 : "inherit";
  const child = spawn(options.sudo ?? "sudo", sudoArguments(options), { stdio: ["ipc", output, "inherit"] });
  const ended = endOf(child);
  const channel = channelToChild(child);
  const closed = new Promise<void>((resolve) => channel.onClose(resolve));
  try {
    return await connectHelper(channel, {
      ...options,
      // Sudo ends long before a detached helper.
      settled: async () => void (await Promise.all([ended, closed])),
      abandon: () => child.unref(),
    });
  } catch (error) {
    const wasUs = options.signal?.aborted || LocalizerError.from(error).code === "internal";
    if (wasUs) {
      // A sudo that still asks for a password is root's and cannot be ended, but need not be waited for.
      child.kill();
      child.unref();
      throw error;
    }
    throw refusal(await ended, error);
  }
}

function sudoArguments(options: SudoLaunchOptions): string[] {
  const channel = options.detach ? [] : ["NODE_CHANNEL_FD=0", "NODE_CHANNEL_SERIALIZATION_MODE=json"];
  const self = fileURLToPath(import.meta.url);
  // Beside this file and, like it, source or compiled.
  const program = fileURLToPath(new URL(`main${extname(self)}`, import.meta.url));
  return [
    "/usr/bin/env",
    "-u",
    "NODE_OPTIONS",
    ...mallocWords,
    ...channel,
    options.node ?? process.execPath,
    program,
    ...(options.detach ? [detachFlag] : []),
    ...helperArgv(options),
  ];
}

/** How sudo ended: its exit code, the signal that ended it, or why it could not be started. */
function endOf(child: ChildProcess): Promise<number | string | Error> {
  return new Promise((resolve) => {
    child.once("error", resolve);
    child.once("exit", (code, signal) => resolve(code ?? signal ?? 1));
  });
}

function refusal(end: number | string | Error, cause: unknown): LocalizerError {
  const why =
    end instanceof Error
      ? "sudo cannot be started"
      : `sudo refused, or the helper could not start (sudo ended with ${end})`;
  const sentence = `Cannot get root's help: ${why}. Start "sudo localizer" instead, or use --no-helper to go without`;
  return new LocalizerError("denied", sentence, { cause: end instanceof Error ? end : cause });
}
