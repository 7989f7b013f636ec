/** `localizer up` as root: the root parent is started first, by root; only then the process becomes the user and waits for it. */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { cliFlags, spellOut } from "../model/cli-flags.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import { defaultStateFolder } from "../model/state-folder.ts";
import { type DetachedDaemon, startDetached } from "./detached-daemon.ts";
import { rootUser, withoutPlaces } from "./launch.ts";
import { answers } from "./socket-link.ts";
import { lookUpUser, requestedUser, userEnvironment } from "./user.ts";

/** Flags of `up` that the daemon does not know. */
const ownFlags = { timeout: { type: "string" } } as const;

/**
 * Starts it, detached. Undefined, with nothing started, when a daemon answers on the socket already: the command says so better.
 * @throws LocalizerError `usage` when there is no such user, and as `startDetached` does
 */
export async function startRootParentDetached(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<DetachedDaemon | undefined> {
  const options = { ...cliFlags, ...ownFlags };
  const { values } = parseArgs({ args: spellOut(argv), options, strict: false, allowPositionals: true });
  const request = requestedUser(values.user, env);
  const user = request === undefined ? rootUser : lookUpUser(request);
  const theirs = userEnvironment(request === undefined ? env : withoutPlaces(env).childEnv, user);
  const { LOCALIZER_SOCKET: socket, LOCALIZER_STATE_DIR: folder } = theirs;
  if (await answers(resolve(textOf(values.socket) ?? (socket || defaultSocketLink)))) return undefined;
  const stateDir = textOf(values["state-dir"]) ?? (folder || defaultStateFolder(theirs, user.home));
  return startDetached({ flags: daemonFlags(argv), env, stateDir: resolve(stateDir), user });
}

/** The command line without the word `up` and its own flags. Pure. */
export function daemonFlags(argv: readonly string[]): readonly string[] {
  const options = { ...cliFlags, ...ownFlags };
  const args = spellOut(argv);
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true });
  const dropped = new Set<number>();
  for (const token of tokens) {
    if (token.kind === "positional") dropped.add(token.index);
    if (token.kind !== "option" || token.name !== "timeout") continue;
    dropped.add(token.index);
    if (!token.inlineValue && token.value !== undefined) dropped.add(token.index + 1);
  }
  return args.filter((_, index) => !dropped.has(index));
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
