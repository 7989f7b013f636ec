/** An answer of the API server on an HTTP/2 stream. */
import { type ClientHttp2Stream, constants } from "node:http2";
import { type ApiAnswer, type ApiAnswerHead, type ApiCall, headOf, leavingServer, lostCall } from "./api-stream.ts";

/** Attends to a stream whose request is under way. Must be called in the tick in which the stream was opened. */
export function h2Answer(stream: ClientHttp2Stream, call: ApiCall): ApiAnswer {
  const { signal } = call;
  // RST_STREAM with CANCEL, so that the server stops too.
  const cancel = () => {
    stream.close(constants.NGHTTP2_CANCEL);
    stream.destroy();
  };
  const broken = (error: unknown) => {
    if (signal?.aborted || !isUntouched(stream, error)) return lostCall(call, error);
    return stream.session?.closed === false
      ? lostCall(call, new Error("the server takes no more requests"), true)
      : leavingServer(call.action);
  };
  const head = new Promise<ApiAnswerHead>((resolve, reject) => {
    let last: unknown;
    stream.once("error", (error) => {
      last = error;
    });
    stream.once("response", (headers) => resolve(headOf(Number(headers[":status"]), headers)));
    stream.once("close", () => reject(broken(last)));
    if (stream.destroyed) reject(broken(undefined));
  });
  // Whoever asks gets the failure; whoever does not must not end the process with it.
  head.catch(() => {});
  if (signal?.aborted) cancel();
  else signal?.addEventListener("abort", cancel, { once: true });
  return {
    head,
    async *bytes() {
      try {
        yield* stream;
      } catch (error) {
        throw broken(error);
      }
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) throw broken(undefined);
    },
    [Symbol.dispose]() {
      signal?.removeEventListener("abort", cancel);
      if (!stream.destroyed) cancel();
    },
  };
}

/** RFC 9113 8.7: REFUSED_STREAM, and streams above the last one that a GOAWAY names, were not acted upon. */
function isUntouched(stream: ClientHttp2Stream, error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  return stream.rstCode === constants.NGHTTP2_REFUSED_STREAM || code === "ERR_HTTP2_GOAWAY_SESSION";
}
