/**
 * Errors across the wire: an ErrorCode becomes a gRPC status code on the server and one again at the
 * client. Codes are compared, sentences are only carried; nothing else of an error leaves the daemon.
 */
import { Code, ConnectError, type Interceptor, type StreamResponse } from "@connectrpc/connect";
import { type ErrorCode, LocalizerError } from "../errors.ts";

/** The gRPC status code that stands for an error code. */
export function grpcCodeOf(code: ErrorCode): Code {
  switch (code) {
    case "usage":
      return Code.InvalidArgument;
    case "not-found":
    case "gone":
      return Code.NotFound;
    case "denied":
      return Code.PermissionDenied;
    case "unauthenticated":
      return Code.Unauthenticated;
    case "timeout":
      return Code.DeadlineExceeded;
    case "conflict":
      return Code.FailedPrecondition;
    case "unavailable":
    case "refused":
    case "no-daemon":
      return Code.Unavailable;
    case "expired":
      return Code.OutOfRange;
    case "aborted":
      return Code.Canceled;
    case "internal":
      return Code.Internal;
    default:
      return code satisfies never;
  }
}

/** The error code that a gRPC status code stands for; `internal` for those that no handler of ours sends. */
export function errorCodeOf(code: Code): ErrorCode {
  switch (code) {
    case Code.InvalidArgument:
    case Code.Unimplemented:
      return "usage";
    case Code.NotFound:
      return "not-found";
    case Code.PermissionDenied:
      return "denied";
    case Code.Unauthenticated:
      return "unauthenticated";
    case Code.DeadlineExceeded:
      return "timeout";
    case Code.FailedPrecondition:
    case Code.AlreadyExists:
      return "conflict";
    case Code.Unavailable:
    case Code.ResourceExhausted:
      return "unavailable";
    case Code.OutOfRange:
      return "expired";
    case Code.Canceled:
      return "aborted";
    default:
      return "internal";
  }
}

/** What the server sends for anything that was thrown. */
export function toConnectError(thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown;
  const error = LocalizerError.from(thrown);
  return new ConnectError(error.message, grpcCodeOf(error.code), undefined, undefined, thrown);
}

/** What the client throws for an answer that is an error; the server's sentence is kept as it is. */
export function fromConnectError(thrown: unknown): LocalizerError {
  if (!(thrown instanceof ConnectError)) return LocalizerError.from(thrown);
  return new LocalizerError(errorCodeOf(thrown.code), thrown.rawMessage, { cause: thrown });
}

/** Whether a failure is what the server has said, so that the call is over there, too; else it may go on. Pure. */
export function isAnswer(failure: unknown): boolean {
  if (!(failure instanceof LocalizerError)) return false;
  return failure.cause instanceof ConnectError && failure.cause.rawMessage === failure.message;
}

/**
 * For the server: lets handlers throw LocalizerErrors, before or in the middle of a stream. `onFault` hears of
 * each `internal` one, which the client sees only as a sentence.
 */
export function errorInterceptor(onFault: (thrown: unknown) => void): Interceptor {
  const translate = (thrown: unknown): ConnectError => {
    const error = toConnectError(thrown);
    if (error.code === Code.Internal) onFault(thrown);
    return error;
  };
  return (next) => async (request) => {
    try {
      const response = await next(request);
      return response.stream ? { ...response, message: translated(response.message, translate) } : response;
    } catch (thrown) {
      throw translate(thrown);
    }
  };
}

async function* translated(
  messages: StreamResponse["message"],
  translate: (thrown: unknown) => ConnectError,
): StreamResponse["message"] {
  try {
    yield* messages;
  } catch (thrown) {
    throw translate(thrown);
  }
}
