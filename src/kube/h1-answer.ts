/** One request and its answer on an HTTP/1.1 connection. */
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { type ApiAnswer, type ApiAnswerHead, type ApiCall, headOf, lostCall } from "./api-stream.ts";
import { dialReason } from "./dial-error.ts";

/** The connection that a request travels on. */
export interface H1Way {
  readonly socket: Socket;
  /** For the `host` header. */
  readonly server: URL;
  readonly clock: Clock;
  /** A watch that brings no byte for so long is ended. */
  readonly silenceMs: number;
  /** Called once, when the exchange is over: how long the connection may wait for another one, 0 when it is spent. */
  readonly onEnd: (idleMs: number) => void;
  /** Called when an answer has begun, which shows that the far side speaks HTTP/1.1. */
  readonly onAnswer: () => void;
}

/**
 * How often the silence is looked at within `silenceMs`: it is noticed a sixth late at the most, and so before a
 * reflector takes a watch that never said anything for one whose version is wrong (after 120 s).
 */
const looks = 6;

/**
 * Sends the call, which has the connection for itself until it is over.
 *
 * There is no PING in HTTP/1.1: a watch that brings nothing for `silenceMs` may be healthy or dead. Its bytes then end
 * in good order, as if the server had ended it, and the next one shows which it was.
 */
export function h1Answer(way: H1Way, call: ApiCall): ApiAnswer {
  const { socket } = way;
  const { body, signal } = call;
  const request = httpRequest({
    createConnection: () => socket,
    method: call.method,
    path: call.path,
    headers: { host: way.server.host, connection: "keep-alive", ...call.headers },
  });
  let response: IncomingMessage | undefined;
  let failure: unknown;
  const stop = () => void request.destroy();
  const silence = call.kind === "watch" ? watchSilence(way, () => response?.readableLength ?? 0, stop) : undefined;
  const head = new Promise<ApiAnswerHead>((resolve, reject) => {
    request.once("response", (message) => {
      response = message;
      message.on("error", () => {});
      way.onAnswer();
      resolve(headOf(message.statusCode ?? 0, message.headers));
    });
    request.on("error", (error) => {
      failure ??= new Error(dialReason(error, "server"), { cause: error });
    });
    request.once("close", () => {
      silence?.[Symbol.dispose]();
      signal?.removeEventListener("abort", stop);
      reject(lostCall(call, silence?.reason ?? failure));
      way.onEnd(response?.complete && socket.writable && !socket.destroyed ? idleMsOf(response) : 0);
    });
  });
  // Whoever asks gets the failure; whoever does not must not end the process with it.
  head.catch(() => {});
  request.end(body);
  if (signal?.aborted) stop();
  else signal?.addEventListener("abort", stop, { once: true });
  return {
    head,
    async *bytes() {
      await head;
      // The head has come, so the response is there.
      if (response === undefined) throw lostCall(call, undefined);
      try {
        yield* response;
      } catch (error) {
        failure ??= error;
      }
      if (response.complete) return;
      if (silence?.reason === undefined || signal?.aborted) throw lostCall(call, failure);
    },
    [Symbol.dispose]() {
      if (!request.destroyed) request.destroy();
    },
  };
}

/** How long the server keeps an idle connection: less than it says, so that a request never meets its end. */
function idleMsOf({ headers, httpVersion }: IncomingMessage): number {
  const { connection = "", "keep-alive": hint } = headers;
  const isKept = httpVersion === "1.0" ? /\bkeep-alive\b/i.test(connection) : !/\bclose\b/i.test(connection);
  if (!isKept) return 0;
  const seconds = typeof hint === "string" ? /timeout=(\d{1,6})/i.exec(hint)?.[1] : undefined;
  return seconds === undefined ? Number.POSITIVE_INFINITY : Math.max(0, Number(seconds) * 1000 - 1000);
}

interface Silence extends Disposable {
  /** Set when it was too long. */
  readonly reason: LocalizerError | undefined;
}

/** Calls `giveUp` when no byte has come for too long. Bytes that nobody takes stop the reading: that is our silence. */
function watchSilence({ socket, clock, silenceMs }: H1Way, heldBytes: () => number, giveUp: () => void): Silence {
  let reason: LocalizerError | undefined;
  let timer: Disposable;
  const look = (silent: number, before: number) => {
    timer = clock.after(silenceMs / looks, () => {
      const now = socket.bytesRead;
      const silentNow = now === before && heldBytes() === 0 ? silent + 1 : 0;
      if (silentNow < looks) {
        look(silentNow, now);
        return;
      }
      reason = new LocalizerError("unavailable", "the API server does not answer any more");
      giveUp();
    });
  };
  look(0, socket.bytesRead);
  return {
    get reason() {
      return reason;
    },
    [Symbol.dispose]() {
      timer[Symbol.dispose]();
    },
  };
}
