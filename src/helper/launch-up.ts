/** `localizer up` as root: the root parent is started first, by root; only then the process becomes the user and waits for it. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { cliFlags, spellOut, upFlags } from "../model/cli-flags.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import { defaultStateFolder } from "../model/state-folder.ts";
import { type DetachedDaemon, startDetached } from "./detached-daemon.ts";
import { rootUser, withoutPlaces } from "./launch.ts";
import { absolute, rootFlags, textOf } from "./root-flags.ts";
import { answers } from "./socket-link.ts";
import { lookUpUser, requestedUser, userEnvironment } from "./user.ts";

/**
 * Starts it, detached. Undefined, with nothing started, when a daemon answers on the socket already: the command says so better.
 * @throws LocalizerError `usage` when there is no such user, and as `startDetached` does
 */
export async function startRootParentDetached(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<DetachedDaemon | undefined> {
  const values = rootFlags(argv);
  const request = requestedUser(values.user, env);
  const user = request === undefined ? rootUser : lookUpUser(request);
  // As the user's part will read it.
  const theirs = request === undefined ? env : userEnvironment(withoutPlaces(env).childEnv, user);
  const socket = absolute(textOf(values.socket) ?? (theirs.LOCALIZER_SOCKET || defaultSocketLink));
  if (socket === undefined || (await answers(socket))) return undefined;
  const folder = textOf(values["state-dir"]) ?? (theirs.LOCALIZER_STATE_DIR || undefined);
  const stateDir = resolve(folder ?? defaultStateFolder(theirs, theirs.HOME || user.home));
  return startDetached({ flags: daemonFlags(argv), env, stateDir, socket, user });
}

/** The command line without the word `up` and its own flags. Pure. */
export function daemonFlags(argv: readonly string[]): readonly string[] {
  const options = { ...cliFlags, ...upFlags };
  const args = spellOut(argv);
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true });
  const dropped = new Set<number>();
  for (const token of tokens) {
    if (token.kind === "positional") dropped.add(token.index);
    if (token.kind !== "option" || !Object.hasOwn(upFlags, token.name)) continue;
    dropped.add(token.index);
    if (!token.inlineValue && token.value !== undefined) dropped.add(token.index + 1);
  }
  return args.filter((_, index) => !dropped.has(index));
}
