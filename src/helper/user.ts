/** Whom a root process works for, and becoming that user for good. */
import { accessSync, constants, lstatSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { LocalizerError } from "../errors.ts";
import { fieldsOf, natural, text } from "./fields.ts";
import type { UserIds } from "./runtime-directory.ts";

declare global {
  namespace NodeJS {
    interface Process {
      // In Node's documentation, but not in @types/node.
      initgroups?(user: string | number, extraGroup: string | number): void;
    }
  }
}

/** A user as the system knows him. */
export interface User extends UserIds {
  readonly name: string;
  readonly home: string;
}

/** A user as somebody named him: by name or number, perhaps with the group he had at that moment. */
export interface UserRequest {
  readonly user: string | number;
  readonly gid?: number;
}

/** Marks the user's part that a root parent has started; its value is the user to become, as JSON. */
export const userPartVariable = "_LOCALIZER_USER_PART";

/** Set in a user's part that stays root, because nobody said whom it is for. */
export const plainRootVariable = "_LOCALIZER_PLAIN_ROOT";

/** Whom the caller named: the flag `--user`, else who called sudo, pkexec or doas; undefined for root itself. */
export function requestedUser(flag: unknown, env: NodeJS.ProcessEnv): UserRequest | undefined {
  const { SUDO_UID, SUDO_GID, PKEXEC_UID, DOAS_USER } = env;
  if (typeof flag === "string") return { user: isNumber(flag) ? Number(flag) : flag };
  const uid = [SUDO_UID, PKEXEC_UID].find(isNumber);
  if (uid !== undefined) {
    const gid = uid === SUDO_UID && isNumber(SUDO_GID) ? { gid: Number(SUDO_GID) } : {};
    return Number(uid) === 0 ? undefined : { user: Number(uid), ...gid };
  }
  return DOAS_USER === undefined || DOAS_USER === "root" ? undefined : { user: DOAS_USER };
}

/**
 * Asks the system (and whatever directory service it asks) for the user. Root only: it puts on his uid for a moment,
 * because Node looks up nobody but the process's own user.
 * @throws LocalizerError `usage` when there is no such user
 */
export function lookUpUser(request: UserRequest): User {
  try {
    process.seteuid?.(request.user);
    const { uid, gid, username, homedir } = userInfo();
    return { uid, gid: request.gid ?? gid, name: username, home: homedir };
  } catch (error) {
    throw new LocalizerError("usage", `Cannot find user "${request.user}"`, { cause: error });
  } finally {
    process.seteuid?.(0);
  }
}

/**
 * Runs something short with the user's rights, so that root neither follows his links nor leaves files of its own with him.
 * Root only, and nothing else may run meanwhile: it is the whole process that changes.
 */
export function asUser<T>(user: User, run: () => T): T {
  if (user.uid === 0) return run();
  const groups = process.getgroups?.() ?? [];
  const gid = process.getegid?.() ?? 0;
  process.initgroups?.(user.name, user.gid);
  process.setegid?.(user.gid);
  process.seteuid?.(user.uid);
  try {
    return run();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(gid);
    process.setgroups?.(groups);
  }
}

/**
 * Turns this root process into the user for good: his groups, no capability left. `no_new_privs` stays off, for credential
 * plug-ins that are set-uid.
 * @throws LocalizerError `internal` when root could still be had back
 */
export function becomeUser(user: User): void {
  if (user.uid === 0) return;
  process.initgroups?.(user.name, user.gid);
  process.setgid?.(user.gid);
  process.setuid?.(user.uid);
  const isUser = [process.getuid?.(), process.geteuid?.()].every((uid) => uid === user.uid);
  if (!isUser || canBeRootAgain()) {
    throw new LocalizerError("internal", `Cannot become user "${user.name}": the system kept root's rights`);
  }
}

/** The user that the marker names. @throws LocalizerError `internal` when it names none */
export function markedUser(env: NodeJS.ProcessEnv): User {
  const fields = fieldsOf(JSON.parse(env[userPartVariable] ?? "null"), ["uid", "gid", "name", "home"]);
  return {
    uid: natural(fields, "uid"),
    gid: natural(fields, "gid"),
    name: text(fields, "name"),
    home: text(fields, "home"),
  };
}

/**
 * The environment for the user's part: home, name and session are his; what would change how Node or the loader start, and
 * what tells of sudo, is dropped.
 */
export function userEnvironment(env: NodeJS.ProcessEnv, user: User): NodeJS.ProcessEnv {
  const dropped =
    /^(NODE_(?!EXTRA_CA_CERTS$|USE_SYSTEM_CA$|USE_ENV_PROXY$)|LD_|DYLD_|SUDO_|PKEXEC_|DOAS_|XDG_RUNTIME_DIR$)/;
  const kept = Object.entries(env).filter(([name]) => !dropped.test(name));
  const session = `/run/user/${user.uid}`;
  const facts = lstatSync(session, { throwIfNoEntry: false });
  const hasSession = facts?.isDirectory() && facts.uid === user.uid;
  return {
    ...Object.fromEntries(kept),
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    ...(hasSession ? { XDG_RUNTIME_DIR: session } : {}),
    ...(user.uid === 0 ? { [plainRootVariable]: "1" } : {}),
  };
}

/** The environment for the user's part when root works for nobody else: root's own, as kubectl would read it. */
export function plainRootEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, [plainRootVariable]: "1" };
}

/** What a person should know who starts localizer as root for nobody else, or undefined for a user's part. */
export function plainRootWarning(env: NodeJS.ProcessEnv): string | undefined {
  if (env[plainRootVariable] === undefined) return undefined;
  return "Working as root: name the user to work for with --user, or start localizer as that user";
}

/**
 * Makes sure that this process, no longer root, can load a file.
 * @throws LocalizerError `denied` naming the folder or file that its user may not read
 */
export function demandReadable(path: string): void {
  const onTheWay = [path];
  for (let at = dirname(path); at !== dirname(at); at = dirname(at)) onTheWay.unshift(at);
  for (const at of onTheWay) {
    try {
      accessSync(at, at === path ? constants.R_OK : constants.X_OK);
    } catch (error) {
      const { username } = userInfo();
      const sentence = `Cannot start as user "${username}": the user may not read "${at}", where localizer is installed`;
      throw new LocalizerError("denied", sentence, { cause: error });
    }
  }
}

/**
 * Why credential plug-ins are not run here, or undefined when they may be: as plain root they would be root's programs chosen
 * by a kubeconfig that may be anybody's.
 */
export function plainRootRefusal(env: NodeJS.ProcessEnv, allowRootExec: boolean): string | undefined {
  if (env[plainRootVariable] === undefined || allowRootExec) return undefined;
  return "localizer works as root for nobody else: name the user to work for with --user, or allow it with --allow-root-exec";
}

function canBeRootAgain(): boolean {
  try {
    process.setuid?.(0);
    return true;
  } catch {
    return false;
  }
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,10}$/.test(text);
}
