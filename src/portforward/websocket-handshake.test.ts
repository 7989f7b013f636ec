import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptOf, webSocketFault, webSocketHeaders } from "./websocket-handshake.ts";

const key = Buffer.from("the sample nonce");
/** RFC 6455, 1.3. */
const accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const good = { upgrade: "WebSocket", "sec-websocket-accept": accept, "sec-websocket-protocol": "a.b" };

test("webSocketHeaders() and acceptOf() agree with the example of RFC 6455", () => {
  assert.equal(webSocketHeaders("a.b", key)["sec-websocket-key"], "dGhlIHNhbXBsZSBub25jZQ==");
  assert.equal(acceptOf(key), accept);
  assert.equal(webSocketFault("a.b", key, good), undefined);
});

const wrong: readonly (readonly [name: string, answer: object, fault: RegExp])[] = [
  ["switches to something else", { upgrade: "SPDY/3.1" }, /switches to "SPDY\/3\.1"/],
  ["switches to nothing", { upgrade: undefined }, /switches to "nothing"/],
  ["accepts another key", { "sec-websocket-accept": acceptOf(Buffer.alloc(16)) }, /does not answer/],
  ["accepts no key", { "sec-websocket-accept": undefined }, /does not answer/],
  ["speaks another subprotocol", { "sec-websocket-protocol": "c" }, /speaks "c"/],
  ["speaks none", { "sec-websocket-protocol": undefined }, /speaks "nothing"/],
  ["adds an extension", { "sec-websocket-extensions": "permessage-deflate" }, /extension/],
];
for (const [name, answer, fault] of wrong) {
  test(`webSocketFault() finds an answer that ${name}`, () => {
    assert.match(webSocketFault("a.b", key, { ...good, ...answer }) ?? "", fault);
  });
}
