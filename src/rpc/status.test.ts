import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { type ErrorCode, LocalizerError } from "../errors.ts";
import { errorCodeOf, fromConnectError, grpcCodeOf, isAnswer, toConnectError } from "./status.ts";

const table: readonly [ErrorCode, Code, ErrorCode][] = [
  ["usage", Code.InvalidArgument, "usage"],
  ["not-found", Code.NotFound, "not-found"],
  ["denied", Code.PermissionDenied, "denied"],
  ["unauthenticated", Code.Unauthenticated, "unauthenticated"],
  ["timeout", Code.DeadlineExceeded, "timeout"],
  ["conflict", Code.FailedPrecondition, "conflict"],
  ["unavailable", Code.Unavailable, "unavailable"],
  ["internal", Code.Internal, "internal"],
  ["expired", Code.OutOfRange, "expired"],
  ["aborted", Code.Canceled, "aborted"],
  ["no-daemon", Code.Unavailable, "unavailable"],
  ["refused", Code.Unavailable, "unavailable"],
  ["gone", Code.NotFound, "not-found"],
];

describe("grpcCodeOf()", () => {
  for (const [code, status, back] of table) {
    it(`sends ${code} as ${Code[status]}, which is read as ${back}`, () => {
      assert.equal(grpcCodeOf(code), status);
      assert.equal(errorCodeOf(status), back);
    });
  }
});

describe("isAnswer()", () => {
  it("tells what the server has said from what the client says of it", () => {
    const sent = new ConnectError("Port 80 is taken", Code.FailedPrecondition);
    assert.equal(isAnswer(fromConnectError(sent)), true);
    assert.equal(isAnswer(new LocalizerError("unavailable", "The daemon went away", { cause: sent })), false);
    assert.equal(isAnswer(new LocalizerError("timeout", "No answer")), false);
    assert.equal(isAnswer(sent), false);
  });
});

describe("toConnectError()", () => {
  it("keeps the sentence both ways", () => {
    const sent = toConnectError(new LocalizerError("conflict", "Port 80 is taken"));
    const received = fromConnectError(new ConnectError(sent.rawMessage, sent.code));
    assert.equal(received.code, "conflict");
    assert.equal(received.message, "Port 80 is taken");
  });
});
