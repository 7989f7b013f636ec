/** `localizer up`: starts the daemon in the background, shows its start, and returns when it is stable. */
import { appendFile, rm } from "node:fs/promises";
import { codeOf, LocalizerError } from "../../errors.ts";
import type { StopRequest } from "../child.ts";
import type { Call, Command } from "../command.ts";
import { daemonClient } from "../daemon-client.ts";
import { daemonSettings } from "../daemon-settings.ts";
import { parseDuration } from "../duration.ts";
import { type FlagValues, one } from "../flag-values.ts";
import type { CliIo } from "../io.ts";
import { followLog } from "../log-tail.ts";

/** A daemon that is starting elsewhere. */
export interface StartingDaemon {
  /** Where its log lies once the start has succeeded. */
  readonly logPath: string;
  /** Where it lies until then; nobody else writes there. */
  readonly startLogPath: string;
  /** The line that ends its start. */
  readonly summary: Promise<string>;
  /** Its exit code. */
  readonly ended: Promise<number>;
  stop(): void;
  release(): void;
}

/** Starts one. */
export type StartInBackground = (options: {
  readonly flags: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly stateDir: string;
  readonly socket: string | undefined;
}) => StartingDaemon;

/** What the command works with. */
export interface UpComponents {
  /** Gives what starts the daemon; by default the daemon's room is loaded now. */
  readonly load?: () => Promise<StartInBackground>;
  /** As root bin has started it already, before it became the user. */
  readonly started?: StartingDaemon;
  /** Says whether all is decided and written; throws what the client throws. */
  readonly isStable?: (flags: FlagValues, io: CliIo) => Promise<boolean>;
  /** The error to say when a daemon answers already. */
  readonly running?: (flags: FlagValues, io: CliIo) => Promise<LocalizerError | undefined>;
}

const pollMs = 100;
const exitCodeOf: Readonly<Record<StopRequest, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/** Exits with 0 when all is served, with the daemon's own code when it ended before, with 6 when it takes too long. */
export const up: Command = upCommand();

/** The command with other components, for bin and for tests. */
export function upCommand(components: UpComponents = {}): Command {
  return {
    name: "up",
    operands: "",
    maxOperands: 0,
    summary: "start the daemon in the background and return when its tunnels are open and names written",
    details:
      "Takes the daemon's flags. Its log is localizer.log in the state folder, with --socket one of its own beside it. It outlives this terminal; `localizer down` stops it.",
    flags: {
      timeout: {
        type: "string",
        value: "TIME",
        text: "how long to wait, as 90s or 2m; then the daemon stays; default 2m",
      },
    },
    run: (call) => bringUp(call, components),
  };
}

async function bringUp({ io, flags }: Call, components: UpComponents): Promise<number> {
  const { load = loadStarter, running = runningDaemon } = components;
  let { started } = components;
  const { stateDir, socket } = daemonSettings(flags, io);
  const timeoutMs = parseDuration(one(flags, "timeout") ?? "2m", "timeout");
  if (started === undefined) {
    const conflict = await running(flags, io);
    if (conflict !== undefined) throw conflict;
    started = (await load())({ flags: daemonFlags(flags), env: io.env, stateDir, socket });
  }
  return await waitFor(started, { io, flags, timeoutMs, isStable: components.isStable ?? askStable });
}

type End =
  | { readonly is: "ready"; readonly summary: string }
  | { readonly is: "ended"; readonly code: number }
  | { readonly is: "late" };

interface Wait {
  readonly io: CliIo;
  readonly flags: FlagValues;
  readonly timeoutMs: number;
  readonly isStable: NonNullable<UpComponents["isStable"]>;
}

async function waitFor(daemon: StartingDaemon, wait: Wait): Promise<number> {
  const { io, timeoutMs } = wait;
  const { clock } = io;
  const over = new AbortController();
  let stoppedBy: StopRequest | undefined;
  // Whoever asks twice wants it at once, and the daemon knows that from hearing it twice.
  using _requests = io.onStop((request) => {
    stoppedBy ??= request;
    daemon.stop();
  });
  const late = Promise.withResolvers<End>();
  using _timer = clock.after(timeoutMs, () => late.resolve({ is: "late" }));
  const ended = daemon.ended.then((code): End => ({ is: "ended", code }));
  // A log that cannot be read must not end a start that goes well.
  const shown = followLog(daemon.startLogPath, io.stderr, { clock, signal: over.signal }).catch(() => {});
  try {
    let end = await Promise.race([ready(daemon, wait, over.signal), ended, late.promise]);
    // Nobody leaves while it is being stopped.
    if (stoppedBy !== undefined) end = await ended;
    over.abort();
    await shown;
    return await outcome(end, daemon, { io, stoppedBy, timeoutMs });
  } finally {
    over.abort();
    daemon.release();
  }
}

async function outcome(
  end: End,
  { logPath, startLogPath }: StartingDaemon,
  { io, stoppedBy, timeoutMs }: { io: CliIo; stoppedBy: StopRequest | undefined; timeoutMs: number },
): Promise<number> {
  switch (end.is) {
    case "ready":
      await appendFile(logPath, `${end.summary}\n`);
      io.stdout(`${end.summary}\n`);
      return 0;
    case "ended":
      // It was shown, and nobody will look for it: the log is that of the daemon that runs, if one does.
      await rm(startLogPath, { force: true });
      if (stoppedBy !== undefined) return exitCodeOf[stoppedBy];
      io.stderr("localizer: The daemon ended before it was ready; the lines above are its log\n");
      return end.code === 0 ? 1 : end.code;
    case "late": {
      const sentence = `The daemon is not ready after ${timeoutMs / 1000} s; it goes on starting, and its log is "${startLogPath}"`;
      throw new LocalizerError("timeout", sentence);
    }
    default:
      return end satisfies never;
  }
}

/** The start's last line says that all is served; that the names are written too only the daemon knows. */
async function ready(daemon: StartingDaemon, { io, flags, isStable }: Wait, signal: AbortSignal): Promise<End> {
  const summary = await daemon.summary;
  while (!signal.aborted) {
    try {
      if (await isStable(flags, io)) return { is: "ready", summary };
    } catch (error) {
      // It may be ending, and will be heard of then.
      if (!["no-daemon", "unavailable", "timeout"].includes(codeOf(error))) throw error;
    }
    await io.clock.sleep(pollMs, signal).catch(() => {});
  }
  return await new Promise<never>(() => {});
}

async function askStable(flags: FlagValues, io: CliIo): Promise<boolean> {
  const { client } = await daemonClient(flags, io);
  await using _client = client;
  return await client.stable({ timeoutMs: 5_000 });
}

async function runningDaemon(flags: FlagValues, io: CliIo): Promise<LocalizerError | undefined> {
  const { client, socketPath } = await daemonClient(flags, io);
  await using _client = client;
  try {
    const cluster = await client.ping({ timeoutMs: 5_000 });
    const serves = cluster === undefined ? "" : ` and serves context "${cluster.context}"`;
    const sentence = `A daemon answers on "${socketPath}" already${serves}; "localizer down" stops it`;
    return new LocalizerError("conflict", sentence);
  } catch (error) {
    if (codeOf(error) === "no-daemon") return undefined;
    throw error;
  }
}

async function loadStarter(): Promise<StartInBackground> {
  return (await import("../../daemon/start-up.ts")).startDetachedDaemon;
}

/** All that was given, and what the environment said, in a form that a command line takes. */
function daemonFlags(flags: FlagValues): readonly string[] {
  const own = [...flags].filter(([name]) => name !== "timeout");
  return own.flatMap(([name, values]) => values.map((value) => `--${name}=${value}`));
}
