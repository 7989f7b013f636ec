/** The client's side of SOCKS5: RFC 1928, with user and password by RFC 1929. The proxy resolves the name. */
import { isIPv4, isIPv6, type Socket } from "node:net";
import { LocalizerError } from "../errors.ts";
import type { HostAndPort, ProxyLogin } from "./tcp.ts";

const version = 5;
const connectCommand = 1;
const method = { none: 0, password: 2 } as const;
const addressType = { v4: 1, name: 3, v6: 4 } as const;

/** RFC 1928 6, by number. */
const replies = [
  "",
  "it failed",
  "it does not allow that",
  "it has no route to the server's network",
  "it has no route to the server",
  "the server refused the connection",
  "the way to the server is too long",
  "it knows no CONNECT",
  "it knows no addresses of this kind",
];

/**
 * Turns a connection to a SOCKS5 proxy into one to `to`. Reads not a byte more than the proxy's own.
 * @throws LocalizerError `unavailable` with the reason alone; the socket is the caller's to destroy
 */
export async function socks5Tunnel(socket: Socket, to: HostAndPort, login: ProxyLogin | undefined): Promise<void> {
  const methods = login === undefined ? [method.none] : [method.none, method.password];
  socket.write(Buffer.from([version, methods.length, ...methods]));
  const [spoken, chosen] = await take(socket, 2);
  if (spoken !== version) throw refused("its answer is no SOCKS5, so it is no SOCKS5 proxy");
  if (chosen === method.password && login !== undefined) await logIn(socket, login);
  else if (chosen !== method.none) throw refused(noMethod(login));
  const port = Buffer.alloc(2);
  port.writeUInt16BE(to.port);
  socket.write(Buffer.concat([Buffer.from([version, connectCommand, 0]), addressOf(to.host), port]));
  const [again, reply = 0, , kind] = await take(socket, 4);
  if (again !== version) throw refused("its answer is no SOCKS5");
  if (reply !== 0) throw refused(replies[reply] ?? `it answers with the unknown code ${reply}`);
  await take(socket, (await boundLength(socket, kind)) + 2);
}

async function logIn(socket: Socket, { user, password }: ProxyLogin): Promise<void> {
  const fields = [sized(user, "user"), sized(password, "password")];
  socket.write(Buffer.concat([Buffer.from([1]), ...fields]));
  const [, status] = await take(socket, 2);
  if (status !== 0) throw refused("it does not accept the user and password of its URL");
}

function noMethod(login: ProxyLogin | undefined): string {
  return login === undefined
    ? "it asks for a user and a password, which its URL does not have"
    : "it accepts no way to log in that localizer knows (none, or user and password)";
}

function addressOf(host: string): Buffer {
  if (isIPv4(host)) return Buffer.from([addressType.v4, ...host.split(".").map(Number)]);
  if (isIPv6(host)) return Buffer.concat([Buffer.from([addressType.v6]), ipv6Bytes(host)]);
  return Buffer.concat([Buffer.from([addressType.name]), sized(host, "server's name")]);
}

/** A URL has parsed the address, so it is well-formed and in hexadecimal. */
function ipv6Bytes(host: string): Buffer {
  const [left = "", right] = host.split("::");
  const words = (text: string) => (text === "" ? [] : text.split(":").map((word) => Number.parseInt(word, 16)));
  const [head, tail] = [words(left), words(right ?? "")];
  const zeros = Array.from({ length: right === undefined ? 0 : 8 - head.length - tail.length }, () => 0);
  const bytes = Buffer.alloc(16);
  for (const [index, word] of [...head, ...zeros, ...tail].entries()) bytes.writeUInt16BE(word, index * 2);
  return bytes;
}

function sized(text: string, what: string): Buffer {
  const bytes = Buffer.from(text);
  if (bytes.length > 255) throw refused(`the ${what} is longer than the 255 bytes that SOCKS5 can say`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

async function boundLength(socket: Socket, kind: number | undefined): Promise<number> {
  switch (kind) {
    case addressType.v4:
      return 4;
    case addressType.v6:
      return 16;
    case addressType.name:
      return (await take(socket, 1))[0] ?? 0;
    default:
      throw refused("its answer is no SOCKS5");
  }
}

/** Takes exactly so many bytes; those behind stay in the socket. */
function take(socket: Socket, size: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void) => {
      socket.off("readable", look);
      socket.off("end", hangUp);
      socket.off("close", hangUp);
      settle();
    };
    const hangUp = () => finish(() => reject(refused("it hung up within its answer")));
    const look = () => {
      const bytes: Buffer | null = socket.read(size);
      if (bytes === null) return;
      // At the end of the stream `read` gives what there is.
      if (bytes.length < size) hangUp();
      else finish(() => resolve(bytes));
    };
    socket.on("readable", look);
    socket.on("end", hangUp);
    socket.on("close", hangUp);
    if (socket.destroyed) hangUp();
    else look();
  });
}

function refused(reason: string): LocalizerError {
  return new LocalizerError("unavailable", reason);
}
