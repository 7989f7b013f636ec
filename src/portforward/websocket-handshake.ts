/** The opening handshake of a WebSocket, client side (RFC 6455, 4.1), as headers and a check of the answer. Pure. */
import { createHash } from "node:crypto";

/** The headers that ask for the subprotocol. `key` is 16 random bytes. */
export function webSocketHeaders(protocol: string, key: Buffer): Readonly<Record<string, string>> {
  return {
    upgrade: "websocket",
    "sec-websocket-key": key.toString("base64"),
    "sec-websocket-version": "13",
    "sec-websocket-protocol": protocol,
  };
}

/** What is wrong with the headers of a 101 answer, as the end of a sentence; undefined when nothing is. */
export function webSocketFault(
  protocol: string,
  key: Buffer,
  answer: Readonly<Record<string, string | readonly string[] | undefined>>,
): string | undefined {
  if (String(answer.upgrade).toLowerCase() !== "websocket") return `it switches to "${answer.upgrade ?? "nothing"}"`;
  if (answer["sec-websocket-accept"] !== acceptOf(key)) return "it does not answer this handshake";
  if (answer["sec-websocket-extensions"] !== undefined) return "it adds an extension";
  const chosen = answer["sec-websocket-protocol"];
  return chosen === protocol ? undefined : `it speaks "${chosen ?? "nothing"}" in the WebSocket`;
}

/** The proof that the server read the key (RFC 6455, 4.2.2, 5.4). */
export function acceptOf(key: Buffer): string {
  const text = `${key.toString("base64")}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  return createHash("sha1").update(text).digest("base64");
}
