import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endLines, saying, startLines, ToldLines } from "../../test/rpc/fake-exposure.ts";
import { turns, until } from "../../test/support/event-loop.ts";
import { LocalizerError } from "../errors.ts";
import { lineMessage } from "../rpc/exposing.ts";
import { exposeStream } from "./expose-stream.ts";

const never = new AbortController().signal;

describe("exposeStream()", () => {
  it("passes the lines on and ends as they end", async () => {
    assert.deepEqual(await Array.fromAsync(exposeStream(saying(startLines), never)), startLines.map(lineMessage));
    const failure = new LocalizerError("conflict", "Somebody holds it");
    const failing = exposeStream(saying(startLines.slice(0, 1), failure), never);
    assert.equal((await failing.next()).done, false);
    await assert.rejects(failing.next(), failure);
  });

  it("reads on without a word when its reader leaves, and cancels nothing", async () => {
    const lines = new ToldLines();
    const stream = exposeStream(lines, never);
    lines.say(...startLines);
    await stream.next();
    await stream.return();
    lines.say(...endLines);
    lines.fail(new LocalizerError("internal", "heard by nobody"));
    await until(() => lines.asked === startLines.length + endLines.length + 1);
    await turns();
    assert.equal(lines.cancelled, false);
  });

  it("throws when the client has gone in the middle of a line, and reads on", async () => {
    const left = new AbortController();
    const lines = new ToldLines();
    const stream = exposeStream(lines, left.signal);
    const next = stream.next();
    await turns();
    left.abort();
    await assert.rejects(next, { code: "unavailable" });
    lines.say(...startLines);
    lines.end();
    await until(() => lines.asked === startLines.length + 1);
    assert.equal(lines.cancelled, false);
  });
});
