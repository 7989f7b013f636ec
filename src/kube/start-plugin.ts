/** The real start of a credential plug-in: the only place of this room that makes a process. */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import type { Clock } from "../clock.ts";
import { errnoOf, LocalizerError } from "../errors.ts";
import type { PluginCommand, PluginProcess, StartPlugin } from "./run-plugin.ts";

/** How long output may come after the end: a child that it left behind can hold the pipe for ever. */
const drainMs = 1_000;

/**
 * Starts programs as processes of this one. With a terminal in its process group: they share the terminal, and its
 * Ctrl-C. Without, each in a group of its own, so that what it started ends with it when it is ended.
 */
export function pluginStarter(clock: Clock): StartPlugin {
  return (command, output) => {
    let wanted: "SIGTERM" | "SIGKILL" | undefined;
    let kill = (signal: "SIGTERM" | "SIGKILL") => {
      wanted = signal;
    };
    const ended = async () => {
      const path = await findCommand(command.command, command.userEnv.PATH);
      if (wanted !== undefined) return { code: null, signal: wanted };
      const child = spawnPlugin(path, command, output, clock);
      kill = child.kill;
      return await child.ended;
    };
    return { ended: ended(), kill: (signal) => kill(signal) };
  };
}

/**
 * The file to run. A relative folder on PATH is passed over, as by Go: what lies there is not the user's choice.
 * @throws Error with `code` ENOENT when there is none, EACCES when there is one that may not be run
 */
async function findCommand(command: string, path = ""): Promise<string> {
  const folders = path.split(delimiter).filter(isAbsolute);
  const candidates = command.includes("/") ? [command] : folders.map((folder) => join(folder, command));
  let failure: unknown = systemError("ENOENT");
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      if ((await stat(candidate)).isFile()) return candidate;
      failure = systemError("EACCES");
    } catch (error) {
      if (!["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "")) failure = error;
    }
  }
  throw failure;
}

function systemError(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function spawnPlugin(
  path: string,
  { args, env, interactive, sharesTerminal }: PluginCommand,
  output: Parameters<StartPlugin>[1],
  clock: Clock,
): PluginProcess {
  const stdin = interactive ? "inherit" : "ignore";
  const child = spawn(path, [...args], { env, stdio: [stdin, "pipe", "pipe"], detached: !sharesTerminal });
  const kill = sharesTerminal ? (signal: "SIGTERM" | "SIGKILL") => void child.kill(signal) : groupKiller(child.pid);
  let wasKilled = false;
  child.stdout?.on("data", output.stdout).on("error", () => {});
  child.stderr?.on("data", output.stderr).on("error", () => {});
  const ended = new Promise<Awaited<PluginProcess["ended"]>>((resolve, reject) => {
    // Stays: a kill that fails is an error too.
    child.on("error", (error) => {
      const isMissing = errnoOf(error) === "ENOENT";
      const sentence = "the interpreter that its first line names, or the current folder, does not exist";
      reject(isMissing ? new LocalizerError("unauthenticated", sentence) : error);
    });
    let timer: Disposable | undefined;
    child.once("exit", () => {
      timer = clock.after(drainMs, () => {
        if (wasKilled && !sharesTerminal) kill("SIGKILL");
        child.stdout?.destroy();
        child.stderr?.destroy();
      });
    });
    child.once("close", (code, signal) => {
      timer?.[Symbol.dispose]();
      // A child that would not end with it.
      if (wasKilled && !sharesTerminal) kill("SIGKILL");
      resolve({ code, signal });
    });
  });
  return {
    ended,
    kill: (signal) => {
      wasKilled = true;
      kill(signal);
    },
  };
}

/** Signals the process group that the program leads; nothing happens when none of it is left. */
function groupKiller(pid: number | undefined): (signal: "SIGTERM" | "SIGKILL") => void {
  return (signal) => {
    if (pid === undefined) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      if (errnoOf(error) !== "ESRCH" && errnoOf(error) !== "EPERM") throw error;
    }
  };
}
