/** Which cluster answered, in the headers of every answer: also of those whose message has no room for it (Kill). */
import { ConnectError, type Interceptor, type StreamResponse } from "@connectrpc/connect";
import type { ClusterInfo } from "../rpc/listed.ts";

/**
 * Adds `localizer-context` and `localizer-cluster` to every answer, errors among them. A header holds ASCII only, so all
 * else is percent-encoded as UTF-8, and so is the percent sign, as gRPC does it for its own message (PROTOCOL-HTTP2).
 */
export function clusterHeaders(cluster: () => Pick<ClusterInfo, "context" | "cluster">): Interceptor {
  const mark = (headers: Headers) => {
    const { context, cluster: name } = cluster();
    headers.set("localizer-context", headerText(context));
    headers.set("localizer-cluster", headerText(name));
  };
  const markError = (thrown: unknown): unknown => {
    if (thrown instanceof ConnectError) mark(thrown.metadata);
    return thrown;
  };
  return (next) => async (request) => {
    try {
      const response = await next(request);
      mark(response.header);
      return response.stream ? { ...response, message: passedOn(response.message, markError) } : response;
    } catch (thrown) {
      throw markError(thrown);
    }
  };
}

/** Before its first message a stream has sent no headers: what fails there carries them itself. */
async function* passedOn(
  messages: StreamResponse["message"],
  markError: (thrown: unknown) => unknown,
): StreamResponse["message"] {
  try {
    yield* messages;
  } catch (thrown) {
    throw markError(thrown);
  }
}

/** The text as a header's value; decodeURIComponent gives it back. Pure. */
export function headerText(text: string): string {
  return text.toWellFormed().replace(/[^!-$&-~]+/g, encodeURIComponent);
}
