/** What the API server says when it says no: its Status object (meta/v1), as a LocalizerError with a meaning. Pure. */
import { type ErrorCode, LocalizerError } from "../errors.ts";
import { numberAt, textAt } from "./json.ts";

/** The facts of a failed call. The cause of the LocalizerError; get it with `apiStatusOf`. */
export class ApiStatus {
  /** The HTTP status, or the `code` of the Status in a watch's ERROR event. */
  readonly httpStatus: number;
  /** The one-word reason ("Expired", "AlreadyExists"), empty when there is none. */
  readonly reason: string;
  readonly message: string;
  /** How long the server wants to be left alone, in ms; never more than five minutes, whatever it says. */
  readonly retryAfterMs: number | undefined;

  constructor(facts: Pick<ApiStatus, "httpStatus" | "reason" | "message" | "retryAfterMs">) {
    this.httpStatus = facts.httpStatus;
    this.reason = facts.reason;
    this.message = facts.message;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** A server that is away for longer is asked again all the same. */
const maxRetryAfterMs = 5 * 60_000;

/** The facts behind an error, if an API server's answer caused it, however often it was wrapped. */
export function apiStatusOf(thrown: unknown): ApiStatus | undefined {
  for (let error = thrown, depth = 0; depth < 8; depth++) {
    if (error instanceof ApiStatus) return error;
    if (!(error instanceof Error)) return undefined;
    error = error.cause;
  }
  return undefined;
}

/**
 * The error for an answer that is no success.
 * @param action what failed, for the sentence: "Cannot get /api/v1/services"
 * @param httpStatus of the answer; a Status with a code of its own (watch events) wins if this is 200
 * @param body the parsed Status, or undefined when there was none
 * @param retryAfter the Retry-After header
 */
export function statusError(
  action: string,
  httpStatus: number,
  body: unknown,
  retryAfter?: string | undefined,
): LocalizerError {
  const code = httpStatus === 200 ? (numberAt(body, "code") ?? 500) : httpStatus;
  const seconds = numberAt(body, "details", "retryAfterSeconds");
  const status = new ApiStatus({
    httpStatus: code,
    reason: textAt(body, "reason") ?? "",
    message: textAt(body, "message") ?? `HTTP ${code}`,
    retryAfterMs: parseRetryAfter(retryAfter) ?? waitMs(seconds),
  });
  return new LocalizerError(errorCodeOf(code), `${action}: ${status.message}`, { cause: status });
}

/** Seconds as a number (RFC 9110 10.2.3); the form with a date is not used by API servers and ignored. */
function parseRetryAfter(header: string | undefined): number | undefined {
  return header !== undefined && /^\d+$/.test(header.trim()) ? waitMs(Number(header)) : undefined;
}

function waitMs(seconds: number | undefined): number | undefined {
  if (seconds === undefined || !Number.isFinite(seconds) || seconds <= 0) return undefined;
  return Math.min(seconds * 1000, maxRetryAfterMs);
}

function errorCodeOf(httpStatus: number): ErrorCode {
  switch (httpStatus) {
    case 401:
      return "unauthenticated";
    case 403:
      return "denied";
    case 404:
      return "not-found";
    case 409:
      return "conflict";
    case 410:
      return "expired";
    default:
      // 400, 422 and their like: we asked for nonsense. Redirects and 429 are for others to mend.
      return httpStatus >= 400 && httpStatus < 500 && httpStatus !== 429 ? "internal" : "unavailable";
  }
}
