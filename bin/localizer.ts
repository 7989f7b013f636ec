#!/bin/sh
/*usr/bin/env true; exec /usr/bin/env node -- "$0" "$@" # For the shell, a comment for Node. */
/**
 * The program: as root it starts the helper and nothing else, else the command line. The shell above is there for the "--": without it Node
 * takes an --env-file among our own words for its own, and does not start when there is no such file yet (nodejs/node src/node_dotenv.cc,
 * GetDataFromArgs). The shell reads the line's first word as a pattern for /usr/bin/env.
 */
import { parseArgs } from "node:util";
import { cliFlags, spellOut, upFlags } from "../src/model/cli-flags.ts";
import { detachedVariable } from "../src/model/detached.ts";
import { usageHint } from "../src/model/usage-hint.ts";

const [major = "0"] = process.versions.node.split(".");
if (Number(major) < 24) {
  process.stderr.write(`localizer: Cannot run on Node ${process.versions.node}: want Node 24 or newer\n`);
  process.exit(1);
}

try {
  process.exitCode = process.geteuid?.() === 0 ? await runAsRoot() : await runCommand();
} catch (error) {
  process.stderr.write(`localizer: ${error instanceof Error ? error.message : String(error)}\n`);
  // What fails before the command line is loaded: a bad user or range (usage), a folder that the user may not read (denied).
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  if (code === "usage") process.stderr.write(`  ${usageHint("")}\n`);
  process.exitCode = code === "usage" ? 2 : code === "denied" ? 5 : code === "conflict" ? 7 : 1;
}

async function runCommand(): Promise<number> {
  const argv = process.argv.slice(2);
  const isDetached = process.env[detachedVariable] !== undefined && commandWord() === "";
  // At once: nothing else may stop a daemon whose terminal is not its own any more, from its first moment on.
  if (isDetached)
    for (const signal of ["SIGINT", "SIGHUP", "SIGQUIT", "SIGTSTP"] as const) process.on(signal, () => {});
  const { main } = await import("../src/cli/main.ts");
  if (!isDetached) return await main(argv);
  const { keepStartLog, leaveTerminal } = await import("../src/helper/detached-daemon.ts");
  const { processIo } = await import("../src/cli/io.ts");
  const { detachedIo } = await import("../src/cli/detached-io.ts");
  const { env } = process;
  // Before anybody can ask this daemon whether all is written.
  const started = () => {
    leaveTerminal();
    keepStartLog(env);
  };
  return await main(argv, detachedIo(processIo(), started));
}

/** Before anything of the command line is loaded: who is it for? */
async function runAsRoot(): Promise<number> {
  const user = await import("../src/helper/user.ts");
  // The variable alone could be anybody's; the channel is a parent's.
  if (process.env[user.userPartVariable] !== undefined && process.channel != null) {
    user.becomeUser(user.markedUser(process.env));
    user.demandReadable(import.meta.filename);
    return await runCommand();
  }
  switch (commandWord()) {
    case "":
    case "cleanup": {
      const { runAsRootParent } = await import("../src/helper/launch.ts");
      return await runAsRootParent(process.argv.slice(2), process.env);
    }
    case "up":
      return await runUpAsRoot(user);
    default:
      await becomeCaller(user);
      return await runCommand();
  }
}

/** The daemon's root parent is started while this is still root; who waits for it is the user. */
async function runUpAsRoot(user: typeof import("../src/helper/user.ts")): Promise<number> {
  const { startRootParentDetached } = await import("../src/helper/launch-up.ts");
  const daemon = await startRootParentDetached(process.argv.slice(2), process.env);
  await becomeCaller(user);
  if (daemon === undefined) return await runCommand();
  const { main } = await import("../src/cli/main.ts");
  const { upCommand } = await import("../src/cli/commands/up.ts");
  return await main(process.argv.slice(2), undefined, undefined, upCommand({ started: daemon }));
}

/** The word that names the command, as far as root must know it: empty for the daemon, "help" for a question. */
function commandWord(): string {
  const { values, positionals } = readFlags();
  if (values.help || values.version) return "help";
  // A word too many is the command line's to refuse.
  return positionals.length > 1 ? "help" : (positionals[0] ?? "");
}

/** A command that needs no root runs as the user who called sudo. */
async function becomeCaller(user: typeof import("../src/helper/user.ts")): Promise<void> {
  const request = user.requestedUser(readFlags().values.user, process.env);
  if (request !== undefined) {
    const { withoutPlaces } = await import("../src/helper/launch.ts");
    const caller = user.lookUpUser(request);
    // As its daemon does, or the two would look for each other in different places.
    const env = user.userEnvironment(withoutPlaces(process.env).childEnv, caller);
    user.becomeUser(caller);
    for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
    Object.assign(process.env, env);
  }
  user.demandReadable(import.meta.filename);
}

function readFlags() {
  const options = { ...cliFlags, ...upFlags };
  return parseArgs({ args: spellOut(process.argv.slice(2)), options, strict: false, allowPositionals: true });
}
