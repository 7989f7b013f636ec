/** Looks at the paths of a command line before anything starts, so that a wrong one is refused at once and in one sentence. */
import { accessSync, constants, lstatSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf, LocalizerError } from "../errors.ts";

// sun_path of unix(7) without its final NUL: 108 bytes on Linux, 104 on macOS.
const maxSocketPath = process.platform === "darwin" ? 103 : 107;

/** The paths that were given, absolute. */
export interface GivenPlaces {
  readonly socket?: string | undefined;
  readonly hostsFile?: string | undefined;
  /** Whether the helper makes the socket's link and writes the hosts file. */
  readonly withHelper: boolean;
}

/** @throws LocalizerError `usage` for the first path that cannot serve, with what to do */
export function checkPlaces({ socket, hostsFile, withHelper }: GivenPlaces): void {
  if (socket !== undefined) {
    demandSocketPath(socket);
    if (withHelper) demandFolder(socket);
    else demandWritable(socket);
    demandNoFile(socket);
  }
  if (hostsFile !== undefined && withHelper) demandHostsFile(hostsFile);
}

/** @throws LocalizerError `usage` for a text that no socket can have as its path */
export function demandSocketPath(path: string): void {
  const length = Buffer.byteLength(path);
  if (length > maxSocketPath) {
    throw unusable(path, `it has ${length} bytes, and a socket's path at most ${maxSocketPath}; name a shorter one`);
  }
  // What a terminal would not show, or a line would end at.
  if (!/^\/[\x21-\x7e]+$/.test(path)) throw unusable(path, "want an absolute path without spaces, in ASCII");
}

/** Root makes the link, but no folders. */
function demandFolder(socket: string): void {
  const folder = dirname(socket);
  const kind = kindOf(folder);
  if (kind === "absent") throw unusable(socket, `there is no folder "${folder}"; make it, or name another path`);
  if (kind !== "folder" && kind !== "hidden") throw unusable(socket, `"${folder}" is no folder; name another path`);
}

/** This user makes the socket, with the folders that it takes. */
function demandWritable(socket: string): void {
  let folder = dirname(socket);
  while (kindOf(folder) === "absent" && folder !== dirname(folder)) folder = dirname(folder);
  if (kindOf(folder) === "other") throw unusable(socket, `"${folder}" is no folder; name another path`);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch {
    throw unusable(socket, `this user may not write in "${folder}"; name a path in a folder of your own`);
  }
}

function demandNoFile(socket: string): void {
  const found = attempt(() => lstatSync(socket, { throwIfNoEntry: false }));
  if (found === undefined || found === "hidden" || found.isSocket() || found.isSymbolicLink()) return;
  throw unusable(socket, `${found.isDirectory() ? "a folder" : "another file"} stands there; name another path`);
}

function demandHostsFile(path: string): void {
  const refuse = (why: string) => {
    throw new LocalizerError("usage", `Cannot use "${path}" as hosts file: ${why}; name an existing file`);
  };
  const facts = attempt(() => statSync(path));
  if (facts === undefined) refuse("there is no such file");
  else if (facts !== "hidden" && facts.isDirectory()) refuse("it is a folder");
  else if (facts !== "hidden" && !facts.isFile()) refuse("it is no regular file");
}

function kindOf(path: string): "folder" | "absent" | "other" | "hidden" {
  const facts = attempt(() => statSync(path));
  if (facts === undefined) return "absent";
  if (facts === "hidden") return "hidden";
  return facts.isDirectory() ? "folder" : "other";
}

/** Undefined when nothing is there; `hidden` when this user may not look, though root may. */
function attempt<T>(look: () => T): T | undefined | "hidden" {
  try {
    return look();
  } catch (error) {
    return ["ENOENT", "ENOTDIR"].includes(errnoOf(error) ?? "") ? undefined : "hidden";
  }
}

function unusable(path: string, why: string): LocalizerError {
  return new LocalizerError("usage", `Cannot use ${JSON.stringify(path)} as a socket: ${why}`);
}
