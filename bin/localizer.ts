#!/usr/bin/env node
/** The program: as root it starts the helper and nothing else, else the command line. */
import { parseArgs } from "node:util";
import { cliFlags } from "../src/model/cli-flags.ts";

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
  process.exitCode = code === "usage" ? 2 : code === "denied" ? 5 : 1;
}

async function runCommand(): Promise<number> {
  const { main } = await import("../src/cli/main.ts");
  return await main(process.argv.slice(2));
}

/** Before anything of the command line is loaded: who is it for? */
async function runAsRoot(): Promise<number> {
  const user = await import("../src/helper/user.ts");
  // The variable alone could be anybody's; the channel is a parent's.
  if (process.env[user.userPartVariable] !== undefined && process.channel != null) {
    user.becomeUser(user.markedUser(process.env));
  } else {
    if (isDaemonCommand()) {
      const { runAsRootParent } = await import("../src/helper/launch.ts");
      return await runAsRootParent(process.argv.slice(2), process.env);
    }
    becomeCaller(user);
  }
  user.demandReadable(import.meta.filename);
  return await runCommand();
}

function isDaemonCommand(): boolean {
  const { values, positionals } = readFlags();
  return !values.help && !values.version && positionals.length === 0;
}

/** A command that needs no root runs as the user who called sudo. */
function becomeCaller(user: typeof import("../src/helper/user.ts")): void {
  const request = user.requestedUser(readFlags().values.user, process.env);
  if (request === undefined) return;
  const caller = user.lookUpUser(request);
  const env = user.userEnvironment(process.env, caller);
  user.becomeUser(caller);
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
}

function readFlags() {
  return parseArgs({ args: process.argv.slice(2), options: cliFlags, strict: false, allowPositionals: true });
}
