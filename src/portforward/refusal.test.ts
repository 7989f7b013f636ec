import assert from "node:assert/strict";
import { test } from "node:test";
import { brokenPipeText, closedText, goneTexts, refusedText } from "../../test/support/runtime-texts.ts";
import { port } from "../model/port.ts";
import { refusal } from "./refusal.ts";

const endpoint = { pod: { namespace: "shop", name: "cart-0", uid: "u1" }, port: port(7999) };

test("refusal() is refused when nothing listens, and keeps the runtime's text as the cause", () => {
  const error = refusal(endpoint, refusedText);
  assert.equal(error.code, "refused");
  assert.equal(error.message, "Cannot forward to shop/cart-0:7999: nothing listens on that port in the pod");
  assert.ok(error.cause instanceof Error);
  assert.equal(error.cause.message, refusedText);
});

test("refusal() is gone for every way to say that the sandbox does not exist", () => {
  for (const text of [closedText, ...goneTexts]) {
    const error = refusal(endpoint, text);
    assert.equal(error.code, "gone", text);
    assert.equal(error.message, "Cannot forward to shop/cart-0:7999: the pod is gone");
  }
});

test("refusal() is unavailable when the application broke off, since it may have got bytes", () => {
  const error = refusal(endpoint, brokenPipeText);
  assert.equal(error.code, "unavailable");
  const sentence = "Cannot forward to shop/cart-0:7999: the application in the pod broke the connection off";
  assert.equal(error.message, sentence);
});

test("refusal() is unavailable, in the runtime's words, for a text that nobody knows", () => {
  const error = refusal(endpoint, "the node is on fire\n");
  assert.deepEqual(
    [error.code, error.message],
    ["unavailable", "Cannot forward to shop/cart-0:7999: the node is on fire"],
  );
});
