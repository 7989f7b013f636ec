/**
 * The daemon of `localizer up`: a process that outlives the one that started it and the terminal.
 * Promises that the terminal is the daemon's until its start is over, and that nothing of it hangs on the terminal after.
 * Used by the daemon's room for `up`, and by launch-up.ts when `up` was called as root.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, fstatSync, openSync } from "node:fs";
import { constants } from "node:os";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { detachedVariable, formatDetachedLog, parseDetachedLog } from "../model/detached.ts";
import { withMallocSettings } from "../model/malloc-settings.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import { keepLog, type LogFile, logName, openLogDraft } from "./log-file.ts";
import { asUser, type User } from "./user.ts";

/** What a root parent that was started by `up` is told, by a process that may not signal it any more. */
export const stopWord = "stop";

/** A daemon that is starting. */
export interface DetachedDaemon {
  /** Where its log lies once the start has succeeded. */
  readonly logPath: string;
  /** Where it lies until then. */
  readonly startLogPath: string;
  /** The line that ends its start. Never settles when there is none. */
  readonly summary: Promise<string>;
  /** Its exit code: 128 + n when signal n ended it. */
  readonly ended: Promise<number>;
  /** Asks it to stop in order. */
  stop(): void;
  /** Lets go of it, so that this process can end. */
  release(): void;
}

/** How to start it. */
export interface DetachedOptions {
  /** The daemon's flags. */
  readonly flags: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly stateDir: string;
  /** The socket's public path; its log is named after it. */
  readonly socket?: string | undefined;
  /** As root: whose the log is, and that the daemon is a root parent, which this process may have to stop as that user. */
  readonly user?: User;
  /** The program; by default this one's. */
  readonly bin?: string;
}

/**
 * Starts it in this process group: a terminal belongs to one, and sudo and credential plug-ins may have to ask.
 * @throws LocalizerError as `openLogDraft` does
 */
export function startDetached(options: DetachedOptions): DetachedDaemon {
  const { user, stateDir, socket = defaultSocketLink } = options;
  const open = () => openLogDraft(stateDir, logName(socket));
  const log = user === undefined ? open() : asUser(user, open);
  try {
    const child = spawn(process.execPath, [options.bin ?? binPath(), ...options.flags], {
      stdio: [inputForChild(), "pipe", log.descriptor, ...(user === undefined ? [] : (["ipc"] as const))],
      serialization: "json",
      env: { ...withMallocSettings(options.env), [detachedVariable]: formatDetachedLog(log) },
    });
    return daemonOf(child, log);
  } finally {
    closeSync(log.descriptor);
  }
}

/** In the daemon: its start has succeeded, so its log takes the place of the one before. */
export function keepStartLog(env: NodeJS.ProcessEnv): void {
  const log = parseDetachedLog(env[detachedVariable]);
  if (log !== undefined) keepLog(log);
}

/**
 * Takes the terminal, or whatever it is, off descriptor 0 of this process and puts nothing there. To be called when nobody will
 * be asked anything any more.
 */
export function leaveTerminal(): void {
  closeSync(0);
  // The lowest free number: 0, unless a thread of Node's was quicker, whose file that is then.
  const descriptor = openSync("/dev/null", "r");
  if (descriptor !== 0) closeSync(descriptor);
}

function daemonOf(child: ChildProcess, { path, draft }: LogFile): DetachedDaemon {
  // A word to a process that has ended is no error.
  child.on("error", () => {});
  const ended = new Promise<number>((resolve) => {
    child.once("error", () => resolve(1));
    child.once("exit", (code, signal) => resolve(code ?? 128 + (constants.signals[signal ?? "SIGKILL"] ?? 0)));
  });
  const summary = new Promise<string>((resolve) => {
    let text = "";
    child.stdout?.setEncoding("utf8").on("data", (some: string) => {
      text += some;
      const end = text.indexOf("\n");
      if (end >= 0) resolve(text.slice(0, end));
    });
  });
  return {
    logPath: path,
    startLogPath: draft,
    summary,
    ended,
    stop() {
      if (child.connected) child.send(stopWord);
      else child.kill("SIGTERM");
    },
    release() {
      child.stdout?.destroy();
      if (child.connected) child.disconnect();
      child.unref();
    },
  };
}

/** A terminal stays for questions; a pipe or file is the caller's, whom the daemon must not keep from seeing its end. */
function inputForChild(): "inherit" | "ignore" {
  try {
    return fstatSync(0).isCharacterDevice() ? "inherit" : "ignore";
  } catch {
    return "ignore";
  }
}

function binPath(): string {
  const self = fileURLToPath(import.meta.url);
  // Source or compiled, as this file is.
  return fileURLToPath(new URL(`../../bin/localizer${extname(self)}`, import.meta.url));
}
