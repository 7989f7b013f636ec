/**
 * The one error class of the house. A code says what kind of thing went wrong and is what
 * callers compare; the sentence says what, where and what to do. Used by every room.
 */
import { getSystemErrorMap } from "node:util";

/**
 * What kind of failure it is. Each code has one exit code (cli) and one gRPC status (rpc).
 *
 * - `internal`: a fault of localizer itself, or one nobody foresaw
 * - `usage`: the caller's words are wrong; calling again unchanged cannot help
 * - `no-daemon`: nothing answers on the daemon's socket
 * - `not-found`: the named thing does not exist
 * - `denied`: the caller lacks the right
 * - `unauthenticated`: the API server does not know us, or no credential could be got; somebody has to log in
 * - `timeout`: it took longer than it may
 * - `conflict`: somebody else holds it (a port, a lock, a socket)
 * - `unavailable`: the other side cannot be reached or is not ready; trying again may help
 * - `refused`: the pod's port refused the connection, so it got no byte
 * - `gone`: the pod or its sandbox does not exist any more, so it got no byte
 * - `expired`: a resource version is too old (HTTP 410)
 * - `aborted`: the caller's signal fired; not worth a log line
 */
export type ErrorCode =
  | "internal"
  | "usage"
  | "no-daemon"
  | "not-found"
  | "denied"
  | "unauthenticated"
  | "timeout"
  | "conflict"
  | "unavailable"
  | "refused"
  | "gone"
  | "expired"
  | "aborted";

/** A failure with a known meaning. The message is sentence case without a full stop, the action first. */
export class LocalizerError extends Error {
  override readonly name = "LocalizerError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, sentence: string, options: { cause?: unknown } = {}) {
    super(sentence, options);
    this.code = code;
  }

  /** Makes one of anything that was thrown. A LocalizerError comes back as it is. */
  static from(thrown: unknown, code: ErrorCode = "internal"): LocalizerError {
    if (thrown instanceof LocalizerError) return thrown;
    if (thrown instanceof Error) {
      return new LocalizerError(isAbort(thrown) ? "aborted" : code, reasonOf(thrown), { cause: thrown });
    }
    return new LocalizerError(code, String(thrown), { cause: thrown });
  }

  /** Rethrow helper: keeps the code of `thrown` and puts the failed action before its sentence. */
  static wrap(thrown: unknown, action: string, code: ErrorCode = "internal"): LocalizerError {
    const inner = LocalizerError.from(thrown, code);
    return new LocalizerError(inner.code, `${action}: ${inner.message}`, { cause: thrown });
  }
}

/** The code of whatever was thrown; `internal` when it carries none. */
export function codeOf(thrown: unknown): ErrorCode {
  return LocalizerError.from(thrown).code;
}

/** The system's errno name ("EADDRINUSE") of an error or of its causes, if it has one. */
export function errnoOf(thrown: unknown): string | undefined {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 8; error = error.cause, depth++) {
    const code: unknown = Reflect.get(error, "code");
    if (typeof code === "string" && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}

/**
 * The message of an error; of one of the system's the words for its number instead of "ENOSPC: no space left on device,
 * write", which is not meant for people. Which file it was about says whoever knows what was to be done with it.
 */
export function reasonOf(error: Error): string {
  const [number, call]: readonly unknown[] = [Reflect.get(error, "errno"), Reflect.get(error, "syscall")];
  if (typeof number !== "number" || call === undefined) return error.message;
  return getSystemErrorMap().get(number)?.[1] ?? error.message;
}

/** Throws `aborted` when the signal has fired; call it first in everything that waits. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new LocalizerError("aborted", "Stopped", { cause: signal.reason });
}

function isAbort(error: Error): boolean {
  return error.name === "AbortError";
}
