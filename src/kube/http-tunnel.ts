/** The CONNECT of HTTP/1.1 (RFC 9110 9.3.6): asks a proxy for a way to a host. */
import { request } from "node:http";
import type { Socket } from "node:net";
import { LocalizerError } from "../errors.ts";
import { formatHostAndPort, type HostAndPort, type ProxyLogin } from "./tcp.ts";

/** An answer's head may be so long; what a proxy says beyond is not read. */
const maxHeadBytes = 16 * 1024;

/**
 * Turns a connection to a proxy into one to `to`. Bytes behind the answer can be read from the socket.
 * @throws LocalizerError `unavailable` with the reason alone; the socket is the caller's to destroy
 */
export function httpTunnel(socket: Socket, to: HostAndPort, login: ProxyLogin | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const authority = formatHostAndPort(to);
  const call = request({
    createConnection: () => socket,
    method: "CONNECT",
    path: authority,
    maxHeaderSize: maxHeadBytes,
    headers: {
      host: authority,
      // Node would send "close", and some proxies obey.
      connection: "keep-alive",
      ...(login === undefined ? {} : { "proxy-authorization": `Basic ${basic(login)}` }),
    },
  });
  call.once("connect", ({ statusCode = 0, statusMessage = "" }, _socket, head) => {
    if (statusCode < 200 || statusCode > 299) {
      reject(new LocalizerError("unavailable", refusal(statusCode, statusMessage, login)));
      return;
    }
    if (head.length > 0) socket.unshift(head);
    resolve();
  });
  call.on("error", (error) => reject(new LocalizerError("unavailable", reasonOf(error), { cause: error })));
  call.end();
  return promise;
}

/** RFC 7617. */
function basic({ user, password }: ProxyLogin): string {
  return Buffer.from(`${user}:${password}`).toString("base64");
}

function refusal(status: number, message: string, login: ProxyLogin | undefined): string {
  const answer = `${status} ${message.slice(0, 80)}`.trimEnd();
  switch (status) {
    case 407:
      return login === undefined
        ? `it asks for a user and a password, which its URL does not have (${answer})`
        : `it does not accept the user and password of its URL (${answer})`;
    case 403:
    case 405:
      return `it does not allow that (${answer})`;
    case 502:
    case 503:
    case 504:
      return `it cannot reach the server (${answer})`;
    default:
      return `it answers ${answer}`;
  }
}

function reasonOf(error: Error): string {
  const code = String(Reflect.get(error, "code"));
  if (code === "HPE_HEADER_OVERFLOW") return `its answer is longer than ${maxHeadBytes} bytes`;
  if (code.startsWith("HPE_")) return "its answer is no HTTP, so it is no HTTP proxy";
  return "it hung up without an answer";
}
