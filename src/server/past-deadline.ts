/** A caller's own deadline, which gRPC sends along and the server may be the first to notice. Used by the streams. */
import { Code, ConnectError } from "@connectrpc/connect";
import { LocalizerError } from "../errors.ts";

/**
 * What to answer when a call's signal has fired because its deadline is over (`grpc-timeout`); undefined when it fired for another
 * reason. Without this answer who is late in noticing would read of an end that is none.
 * Source: `DEADLINE_EXCEEDED` in gRPC's status codes; connect's `createDeadlineSignal` gives the reason.
 */
export function pastDeadline({ reason }: AbortSignal): LocalizerError | undefined {
  if (!(reason instanceof ConnectError) || reason.code !== Code.DeadlineExceeded) return undefined;
  return new LocalizerError("timeout", "The deadline of this call is over; what it has begun goes on", {
    cause: reason,
  });
}
