import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { codeOf, errnoOf, LocalizerError, reasonOf, throwIfAborted } from "./errors.ts";

function systemError(code: string, cause?: unknown): Error {
  return Object.assign(new Error(`${code}: it went wrong`, { cause }), { code });
}

test("LocalizerError.from() gives a LocalizerError back as it is", () => {
  const error = new LocalizerError("gone", "The pod is gone");
  assert.equal(LocalizerError.from(error, "timeout"), error);
});

test("LocalizerError.from() keeps what was thrown as the cause, under the code asked for", () => {
  const thrown = new Error("no route");
  const error = LocalizerError.from(thrown, "unavailable");
  assert.equal(error.code, "unavailable");
  assert.equal(error.message, "no route");
  assert.equal(error.cause, thrown);
  assert.equal(LocalizerError.from(thrown).code, "internal");
});

test("LocalizerError.from() knows an abort whatever code is asked for", () => {
  const controller = new AbortController();
  controller.abort();
  assert.equal(LocalizerError.from(controller.signal.reason, "unavailable").code, "aborted");
});

test("LocalizerError.from() takes anything that can be thrown", () => {
  assert.equal(LocalizerError.from("just a text").message, "just a text");
  assert.equal(LocalizerError.from(undefined).message, "undefined");
  assert.equal(LocalizerError.from(null).code, "internal");
});

test("LocalizerError.wrap() puts the action first and keeps the code", () => {
  const inner = new LocalizerError("denied", "pods is forbidden");
  const error = LocalizerError.wrap(inner, "Cannot list pods", "unavailable");
  assert.equal(error.code, "denied");
  assert.equal(error.message, "Cannot list pods: pods is forbidden");
  assert.equal(error.cause, inner);
  assert.equal(LocalizerError.wrap(new Error("x"), "Cannot do it", "unavailable").code, "unavailable");
});

test("codeOf() is internal for what carries no code of ours", () => {
  assert.equal(codeOf(new LocalizerError("expired", "Too old")), "expired");
  assert.equal(codeOf(systemError("ECONNRESET")), "internal");
  assert.equal(codeOf(42), "internal");
});

test("errnoOf() finds the errno of an error or of its causes", () => {
  assert.equal(errnoOf(systemError("EADDRINUSE")), "EADDRINUSE");
  assert.equal(errnoOf(LocalizerError.wrap(LocalizerError.from(systemError("ENOENT")), "Cannot read")), "ENOENT");
});

test("errnoOf() takes neither Node's codes nor ours for an errno", () => {
  assert.equal(errnoOf(systemError("ERR_STREAM_DESTROYED")), undefined);
  assert.equal(errnoOf(new LocalizerError("conflict", "Taken")), undefined);
  assert.equal(errnoOf(systemError("ERR_X", systemError("EPIPE"))), "EPIPE");
  assert.equal(errnoOf("EPIPE"), undefined);
});

test("errnoOf() ends on causes that go round", () => {
  const error = new Error("round");
  error.cause = error;
  assert.equal(errnoOf(error), undefined);
});

test("throwIfAborted() throws aborted with the signal's reason, and only then", () => {
  throwIfAborted(undefined);
  const controller = new AbortController();
  throwIfAborted(controller.signal);
  controller.abort("enough");
  assert.throws(() => throwIfAborted(controller.signal), { code: "aborted", cause: "enough" });
});

test("reasonOf() has words for the system's errors, and leaves the sentences of others alone", () => {
  assert.throws(
    () => readFileSync("/dev/null/file"),
    (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.equal(reasonOf(error), "not a directory");
      assert.equal(LocalizerError.wrap(error, 'Cannot read "file"').message, 'Cannot read "file": not a directory');
      return true;
    },
  );
  assert.equal(reasonOf(new Error("It went wrong")), "It went wrong");
});
