/** One call to the API server and its answer, on whatever connection: its head, its bytes, and what it means when it breaks off. */
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { LocalizerError } from "../errors.ts";

/** What a call is: `call` ends soon, `watch` stays open. They never share an HTTP/2 connection. */
export type StreamKind = "call" | "watch";

/** A request on its way. */
export interface ApiCall {
  readonly kind: StreamKind;
  readonly method: string;
  /** With the server's path prefix, and the query. */
  readonly path: string;
  /** Names in lower case; `host` and what belongs to the connection are added. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Buffer | undefined;
  /** For the sentences: "Cannot get /api/v1/services". */
  readonly action: string;
  /** Ends the call, so that the server stops too. */
  readonly signal?: AbortSignal | undefined;
}

/** The head of an answer. */
export interface ApiAnswerHead {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly gzip: boolean;
}

/** An answer that is coming in. Disposing it ends the call, wherever it is. */
export interface ApiAnswer extends Disposable {
  /** @throws LocalizerError `unavailable` when the call ends without one, `aborted` */
  readonly head: Promise<ApiAnswerHead>;
  /** The bytes as they come; back-pressure is passed on. Throws as `head`, and when it breaks off in the middle. */
  bytes(): AsyncGenerator<Buffer, void, undefined>;
}

/** Far beyond the largest list. */
export const maxBodyBytes = 1024 ** 3;

/** The cause of an `unavailable`: the call broke off. */
class StreamLost extends Error {
  /** The server certainly did not act on the request. */
  readonly untouched: boolean;

  constructor(reason: string, untouched: boolean, cause: unknown) {
    super(reason, { cause });
    this.untouched = untouched;
  }
}

/** The error for a call that broke off; `untouched`: the server certainly did not act on it. */
export function lostCall({ action, signal }: ApiCall, error: unknown, untouched = false): LocalizerError {
  if (signal?.aborted) return new LocalizerError("aborted", "Stopped", { cause: signal.reason });
  const reason = error instanceof Error ? error.message : "the connection was lost";
  return new LocalizerError("unavailable", `${action}: ${reason}`, { cause: new StreamLost(reason, untouched, error) });
}

/**
 * Says whether the request behind this error may be sent again: the call broke off, and the server did not act on
 * it, or acting twice is harmless.
 */
export function mayRepeat(error: unknown, harmlessTwice: boolean): boolean {
  const cause = error instanceof LocalizerError ? error.cause : undefined;
  return cause instanceof StreamLost && (cause.untouched || harmlessTwice);
}

/** The error for a server that takes no requests any more; it certainly did not act on any. */
export function leavingServer(action: string): LocalizerError {
  const reason = "the server is shutting down";
  return new LocalizerError("unavailable", `${action}: ${reason}`, { cause: new StreamLost(reason, true, undefined) });
}

/** Says whether the call broke off, in contrast to an answer that says no. */
export function isLost(error: unknown): boolean {
  return error instanceof LocalizerError && error.cause instanceof StreamLost;
}

/**
 * Takes the whole body, unzipped.
 * @throws LocalizerError `unavailable` when it breaks off, is larger than 1 GiB or cannot be unzipped
 */
export async function readBody(answer: ApiAnswer, action: string, maxBytes = maxBodyBytes): Promise<Buffer> {
  const { gzip } = await answer.head;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.bytes()) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(action, maxBytes);
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  if (!gzip || body.length === 0) return body;
  try {
    return await promisify(gunzip)(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(action, maxBytes);
    throw new LocalizerError("unavailable", `${action}: the answer cannot be unzipped`, { cause: error });
  }
}

/** The error for a body beyond the limit. */
export function tooLarge(action: string, maxBytes: number): LocalizerError {
  return new LocalizerError("unavailable", `${action}: the answer is larger than ${maxBytes} bytes`);
}

/** @throws LocalizerError `unavailable` when the bytes are no JSON; never with a piece of them, which may be secret */
export function parseJson(bytes: Buffer, action: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new LocalizerError("unavailable", `${action}: the answer is no JSON`);
  }
}

/** The head from an answer's headers, in lower case. */
export function headOf(status: number, headers: Readonly<Record<string, unknown>>): ApiAnswerHead {
  const { "retry-after": retryAfter, "content-encoding": encoding } = headers;
  return { status, retryAfter: typeof retryAfter === "string" ? retryAfter : undefined, gzip: encoding === "gzip" };
}
