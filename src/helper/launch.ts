/**
 * `sudo localizer`, or plain root: the process that was started becomes the helper, and the user's part a child of it.
 * Promises that nothing but the helper runs as root when it is known whom it works for, and the child's exit code.
 * Used by bin, which loads nothing else as root; the user's part finds its way back with `helperOfParent`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../clock.ts";
import { detachedVariable } from "../model/detached.ts";
import { withMallocSettings } from "../model/malloc-settings.ts";
import { channelToChild } from "./channel.ts";
import { checkPlaces } from "./check-places.ts";
import { helperConfig } from "./config.ts";
import { abortedByCrash } from "./crash.ts";
import { leaveTerminal, stopWord } from "./detached-daemon.ts";
import type { Say } from "./places.ts";
import { serveHelper } from "./root.ts";
import { absolute, isYes, rootFlags, textOf } from "./root-flags.ts";
import {
  lookUpUser,
  plainRootEnvironment,
  requestedUser,
  type User,
  userEnvironment,
  userPartVariable,
} from "./user.ts";
import { droppedVariables, variablesOfSudo, writableProgramFiles } from "./warnings.ts";

const childGraceMs = 2_000;

// The bounds, and the variables that say them too.
const places = {
  "hosts-file": "LOCALIZER_HOSTS_FILE",
  socket: "LOCALIZER_SOCKET",
  "ip-cidr": "LOCALIZER_IP_CIDR",
  "root-state-dir": "LOCALIZER_ROOT_STATE_DIR",
} as const;
type PlaceFlag = keyof typeof places;
// The keys of the object that was just written.
const placeFlags = Object.keys(places) as readonly PlaceFlag[];

/** Root itself, when nobody said whom it works for. */
export const rootUser: User = { uid: 0, gid: 0, name: "root", home: "/root" };

/**
 * Starts `bin` again as the user's part, serves it, and resolves to its exit code (128 + n when signal n ended it). The bounds
 * come from `argv`, and from the environment only when it is root's own: else it may be the user's.
 * @throws LocalizerError `usage` when the user or the range is none, and as `checkPlaces` does
 */
export async function runAsRootParent(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const values = rootFlags(argv);
  const request = requestedUser(values.user, env);
  const user = request === undefined ? rootUser : lookUpUser(request);
  const { ignored, childEnv } = request === undefined ? { ignored: [], childEnv: env } : withoutPlaces(env);
  // An empty variable counts as none, as for the user's part.
  const read = (flag: PlaceFlag) => textOf(values[flag] ?? (childEnv[places[flag]] || undefined));
  const given = {
    hostsFile: absolute(read("hosts-file")),
    socketLink: absolute(read("socket")),
    range: read("ip-cidr"),
    stateDir: absolute(read("root-state-dir")),
  };
  const config = helperConfig(given, user);
  // Who goes without a helper is not to hear that it finds its places wanting.
  const isWithout = isYes(values["no-helper"] ?? childEnv.LOCALIZER_NO_HELPER);
  checkPlaces({ socket: given.socketLink, hostsFile: given.hostsFile, withHelper: !isWithout });
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  warn(user, env);
  if (ignored.length > 0) {
    const flags = ignored.map((flag) => `--${flag}`).join(", ");
    say(`Ignored ${ignored.map((flag) => places[flag]).join(", ")}, which may be the user's: use ${flags}`);
  }
  const crash = abortedByCrash(say);
  const partEnv = request === undefined ? plainRootEnvironment(env) : userEnvironment(childEnv, user);
  const child = startUserPart(argv, partEnv, user);
  if (childEnv[detachedVariable] === undefined) ignoreSignalsBut(child);
  else outliveTerminal(child);
  const exit = once(child, "exit");
  const exited = new AbortController();
  child.once("exit", () => exited.abort());
  crash.addEventListener("abort", () => endSoon(child));
  const stop = AbortSignal.any([crash, exited.signal]);
  await serveHelper(channelToChild(child), config, isWithout ? () => {} : say, stop);
  const [code, signal] = await exit;
  return crash.aborted ? 1 : exitCode(code, signal);
}

/** Asked first; one that does not end is killed. */
function endSoon(child: ChildProcess): void {
  child.kill("SIGTERM");
  const kill = systemClock.after(childGraceMs, () => child.kill("SIGKILL"));
  child.once("exit", () => kill[Symbol.dispose]());
}

/**
 * The root parent of `up`: Ctrl-C and the terminal's end are nothing to it, and who started it has become the user, who may not
 * signal root and sends a word instead.
 */
function outliveTerminal(child: ChildProcess): void {
  for (const signal of ["SIGINT", "SIGHUP", "SIGQUIT", "SIGTSTP"] as const) process.on(signal, () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.on("message", (word) => {
    if (word === stopWord) child.kill("SIGTERM");
  });
  // It is no reason to live on.
  process.channel?.unref();
  leaveTerminal();
}

/** What the variables say may be the user's, so root does not follow it; the child must not either, or the two would disagree. */
export function withoutPlaces(env: NodeJS.ProcessEnv): {
  readonly ignored: readonly PlaceFlag[];
  readonly childEnv: NodeJS.ProcessEnv;
} {
  const childEnv = { ...env };
  const ignored = placeFlags.filter((flag) => childEnv[places[flag]]);
  for (const flag of placeFlags) delete childEnv[places[flag]];
  return { ignored, childEnv };
}

function startUserPart(argv: readonly string[], env: NodeJS.ProcessEnv, user: User): ChildProcess {
  const self = fileURLToPath(import.meta.url);
  // Source or compiled, as this file is.
  const bin = fileURLToPath(new URL(`../../bin/localizer${extname(self)}`, import.meta.url));
  return spawn(process.execPath, [bin, ...argv], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    serialization: "json",
    env: { ...withMallocSettings(env), [userPartVariable]: JSON.stringify(user) },
  });
}

/**
 * INT and TERM both reach the child as TERM, at every time. Ctrl-C reaches it as INT as well, being in the same group, and
 * either may come first: so for the user's part TERM and the first INT mean the same stop, and only a second INT means more.
 * HUP and QUIT come from the terminal to the whole group and are the child's own affair.
 */
function ignoreSignalsBut(child: ChildProcess): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => child.kill("SIGTERM"));
  for (const signal of ["SIGHUP", "SIGQUIT"] as const) process.on(signal, () => {});
}

function warn(user: User, env: NodeJS.ProcessEnv): void {
  const [writable] = writableProgramFiles();
  if (writable !== undefined) say(`Others can write "${writable}", which runs as root here`);
  // As root it is the daemon that says so: it knows by then that its flags are right.
  if (user.uid === 0) return;
  const dropped = droppedVariables(variablesOfSudo() ?? [], env);
  if (dropped.length > 0)
    say(`sudo dropped ${dropped.join(", ")}: start localizer without sudo, and it asks for root itself`);
}

const say: Say = (sentence) => {
  process.stderr.write(`localizer: ${sentence}\n`);
};

function exitCode(code: unknown, signal: unknown): number {
  if (typeof code === "number") return code;
  const [, number] = Object.entries(constants.signals).find(([name]) => name === signal) ?? [];
  return 128 + (number ?? 0);
}
