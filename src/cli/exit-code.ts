/** What the shell is told. Numbers are part of the interface: scripts compare them. */
import type { ErrorCode } from "../errors.ts";
import type { StopRequest } from "./child.ts";

/** The exit code of each kind of failure. A command that did what it was asked to exits with 0. */
export const exitCodes: Readonly<Record<ErrorCode, number>> = {
  internal: 1,
  unavailable: 1,
  refused: 1,
  expired: 1,
  aborted: 1,
  usage: 2,
  "no-daemon": 3,
  "not-found": 4,
  gone: 4,
  denied: 5,
  unauthenticated: 5,
  timeout: 6,
  conflict: 7,
};

/** What a shell gives for a program that such a signal has ended: 128 and its number. */
export const stopCodes: Readonly<Record<StopRequest, number>> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
