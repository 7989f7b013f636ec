/** `localizer` without a command: the daemon in the foreground, from the first line of its log to its orderly end. */
import { aborted } from "../../clock.ts";
import type { Daemon, DaemonOptions, StartDaemon } from "../../daemon/daemon-options.ts";
import { codeOf, LocalizerError } from "../../errors.ts";
import type { StopRequest } from "../child.ts";
import type { Command } from "../command.ts";
import { daemonSettings } from "../daemon-settings.ts";
import { exitCodes } from "../exit-code.ts";
import type { CliIo } from "../io.ts";

/** A terminal's Ctrl-C reaches the whole process group, and a parent may pass it on: two so close are one. */
const sameRequestMs = 500;
/** Exposures have 90 s to go back. */
const disposeTimeoutMs = 120_000;

/** The command without a name. `load` gives what starts the daemon; by default the daemon's room is loaded now. */
export function runCommand(load: () => Promise<StartDaemon> = loadDaemon): Command {
  return {
    name: "",
    operands: "",
    maxOperands: 0,
    summary: "run the daemon in the foreground; Ctrl-C stops it",
    details: "",
    flags: {},
    async run({ io, flags }) {
      const options = daemonSettings(flags, io);
      const stop = new AbortController();
      const forced = Promise.withResolvers<number>();
      using _requests = io.onStop(stopOnce(io, options, stop, forced.resolve));
      return await Promise.race([serve(await load(), options, io, stop.signal), forced.promise]);
    },
  };
}

async function loadDaemon(): Promise<StartDaemon> {
  return (await import("../../daemon/daemon.ts")).startDaemon;
}

/** The first request stops in order; INT or TERM again, later, ends at once. */
function stopOnce(
  io: CliIo,
  { log }: DaemonOptions,
  stop: AbortController,
  force: (code: number) => void,
): (request: StopRequest) => void {
  let firstAt: number | undefined;
  return (request) => {
    const now = io.clock.monotonic();
    if (firstAt === undefined) {
      firstAt = now;
      log.info("Stopping", { on: request });
      stop.abort();
      return;
    }
    const code = { SIGINT: 130, SIGTERM: 143, SIGHUP: undefined }[request];
    if (code === undefined || now - firstAt <= sameRequestMs) return;
    log.warn("Ending at once; the next start tidies up", { on: request });
    io.exit(code);
    force(code);
  };
}

/** Returns the exit code after an orderly end; throws what ended the daemon otherwise. */
async function serve(start: StartDaemon, options: DaemonOptions, io: CliIo, stop: AbortSignal): Promise<number> {
  let daemon: Daemon;
  try {
    daemon = await start(options, stop);
  } catch (error) {
    if (stop.aborted && codeOf(error) === "aborted") return 0;
    throw error;
  }
  let failure: unknown;
  try {
    if (!stop.aborted) io.stdout(`${daemon.summary}\n`);
    await Promise.race([daemon.ended, aborted(stop)]);
  } catch (error) {
    failure = error;
  }
  if (!(await disposed(daemon, io))) {
    options.log.error("Cannot stop in order in time; the next start tidies up", { error: failure });
    io.exit(exitCodes[failure === undefined ? "timeout" : codeOf(failure)]);
    throw new LocalizerError("timeout", `Cannot stop within ${disposeTimeoutMs / 1000} s`, { cause: failure });
  }
  if (failure !== undefined) throw failure;
  return 0;
}

/** False when it took longer than it may. */
async function disposed(daemon: Daemon, { clock }: CliIo): Promise<boolean> {
  const timeUp = Promise.withResolvers<boolean>();
  using _timer = clock.after(disposeTimeoutMs, () => timeUp.resolve(false));
  return await Promise.race([daemon[Symbol.asyncDispose]().then(() => true), timeUp.promise]);
}
