/** What the helper may touch: settled by its own command line before the user's part can say a word. Pure. */
import { createHash } from "node:crypto";
import { LocalizerError } from "../errors.ts";
import { type LoopbackRange, parseServiceRange } from "../model/loopback.ts";
import { defaultSocketLink } from "../model/socket-link.ts";
import type { UserIds } from "./runtime-directory.ts";

/** The helper's bounds. */
export interface HelperConfig {
  readonly hostsFile: string;
  /** Where the link to the user's socket goes. */
  readonly socketLink: string;
  /** Addresses that may be bound and written. */
  readonly range: LoopbackRange;
  /** A folder of root's own. */
  readonly stateDir: string;
  /** Where a user without a session gets a runtime folder. */
  readonly runtimeBase: string;
  /** Whom the helper serves. */
  readonly user: UserIds;
}

/** What a command line may say of it; the rest is default. */
export interface HelperArguments {
  readonly hostsFile?: string | undefined;
  readonly socketLink?: string | undefined;
  readonly range?: string | undefined;
  readonly stateDir?: string | undefined;
}

/** @throws LocalizerError `usage` when the range is none for services, or a path is not absolute */
export function helperConfig(given: HelperArguments, user: UserIds): HelperConfig {
  // Relative to what? The helper's folder is not always the user's.
  const relative = [given.hostsFile, given.socketLink, given.stateDir].find((path) => path?.startsWith("/") === false);
  if (relative !== undefined) {
    throw new LocalizerError("usage", `Cannot use "${relative}" in the helper: want an absolute path`);
  }
  return {
    hostsFile: given.hostsFile ?? "/etc/hosts",
    socketLink: given.socketLink ?? defaultSocketLink,
    range: parseServiceRange(given.range ?? "127.0.0.0/8"),
    stateDir: given.stateDir ?? "/var/lib/localizer",
    runtimeBase: "/run",
    user,
  };
}

/** The arguments as the helper's program reads them. */
export function helperArgv(given: HelperArguments): string[] {
  const named = {
    "--hosts-file": given.hostsFile,
    "--socket-link": given.socketLink,
    "--range": given.range,
    "--state-dir": given.stateDir,
  };
  return Object.entries(named).flatMap(([flag, value]) => (value === undefined ? [] : [`${flag}=${value}`]));
}

/** The name that the hosts block of a localizer with this socket link carries; see `BlockOwner.instance`. */
export function hostsInstance(socketLink: string): string {
  if (socketLink === defaultSocketLink) return "default";
  return createHash("sha256").update(socketLink).digest("hex").slice(0, 12);
}
