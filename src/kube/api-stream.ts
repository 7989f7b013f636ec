/** One answer of the API server on an HTTP/2 stream: its head, its bytes, and what it means when it breaks off. */
import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { LocalizerError } from "../errors.ts";

/** The head of an answer. */
export interface ApiAnswerHead {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly gzip: boolean;
}

/** An answer that is coming in. Disposing it ends the stream, wherever it is. */
export interface ApiAnswer extends Disposable {
  /** @throws LocalizerError `unavailable` when the stream ends without one, `aborted` */
  readonly head: Promise<ApiAnswerHead>;
  /** The bytes as they come; back-pressure is passed on. Throws as `head`, and when it breaks off in the middle. */
  bytes(): AsyncGenerator<Buffer, void, undefined>;
}

/** The cause of an `unavailable`: the stream broke off. */
class StreamLost extends Error {
  /** The server certainly did not act on the request. */
  readonly untouched: boolean;

  constructor(reason: string, untouched: boolean, cause: unknown) {
    super(reason, { cause });
    this.untouched = untouched;
  }
}

/**
 * Says whether the request behind this error may be sent again: the stream broke off, and the server did not act on
 * it, or acting twice is harmless.
 */
export function mayRepeat(error: unknown, harmlessTwice: boolean): boolean {
  const cause = error instanceof LocalizerError ? error.cause : undefined;
  return cause instanceof StreamLost && (cause.untouched || harmlessTwice);
}

/**
 * Attends to a stream whose request is under way. Must be called in the tick in which the stream was opened.
 * @param action for the sentences: "Cannot get /api/v1/services"
 * @param signal cancels the stream (RST_STREAM, CANCEL), so that the server stops too
 */
export function startAnswer(stream: ClientHttp2Stream, action: string, signal: AbortSignal | undefined): ApiAnswer {
  const cancel = () => {
    stream.close(constants.NGHTTP2_CANCEL);
    stream.destroy();
  };
  const broken = (error: unknown) => {
    if (signal?.aborted) return new LocalizerError("aborted", "Stopped", { cause: signal.reason });
    return lost(stream, action, error);
  };
  const head = new Promise<ApiAnswerHead>((resolve, reject) => {
    let last: unknown;
    stream.once("error", (error) => {
      last = error;
    });
    stream.once("response", (headers) => resolve(headOf(headers)));
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

/** Takes the whole body, unzipped. */
export async function readBody(answer: ApiAnswer): Promise<Buffer> {
  const { gzip } = await answer.head;
  const chunks: Buffer[] = [];
  for await (const chunk of answer.bytes()) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  return gzip && body.length > 0 ? await promisify(gunzip)(body) : body;
}

/** @throws LocalizerError `unavailable` when the bytes are no JSON; never with a piece of them, which may be secret */
export function parseJson(bytes: Buffer, action: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new LocalizerError("unavailable", `${action}: the answer is no JSON`);
  }
}

function headOf(headers: IncomingHttpHeaders): ApiAnswerHead {
  return {
    status: Number(headers[":status"]),
    retryAfter: headers["retry-after"],
    gzip: headers["content-encoding"] === "gzip",
  };
}

/** RFC 9113 8.7: REFUSED_STREAM, and streams above the last one that a GOAWAY names, were not acted upon. */
function lost(stream: ClientHttp2Stream, action: string, error: unknown): LocalizerError {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  const untouched = stream.rstCode === constants.NGHTTP2_REFUSED_STREAM || code === "ERR_HTTP2_GOAWAY_SESSION";
  const reason = error instanceof Error ? error.message : "the connection was lost";
  const cause = new StreamLost(reason, untouched, error);
  return new LocalizerError("unavailable", `${action}: ${reason}`, { cause });
}
