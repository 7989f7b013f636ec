import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeIo } from "../../../test/rpc/fake-io.ts";
import { LocalizerError, throwIfAborted } from "../../errors.ts";
import { type CleanUp, cleanupCommand } from "./cleanup.ts";

test("cleanupCommand() says what was removed, or that there was nothing", async () => {
  const io = fakeIo();
  assert.equal(await run(io, async () => ['the link "/a"', 'the socket "/b"']), 0);
  assert.equal(await run(io, async () => []), 0);
  assert.equal(io.out(), 'Removed the link "/a"\nRemoved the socket "/b"\nNothing was left behind\n');
});

test("cleanupCommand() passes the settings on, stops when asked, and throws what hinders it", async () => {
  const io = fakeIo();
  const seen: unknown[] = [];
  const clean: CleanUp = async ({ hostsFile }, signal) => {
    seen.push(hostsFile);
    io.ask("SIGINT");
    throwIfAborted(signal);
    throw new LocalizerError("internal", "not reached");
  };
  await assert.rejects(run(io, clean, new Map([["hosts-file", ["/h"]]])), { code: "aborted" });
  assert.deepEqual([seen, io.listening()], [["/h"], 0]);
});

function run(io: ReturnType<typeof fakeIo>, clean: CleanUp, flags = new Map<string, readonly string[]>()) {
  return cleanupCommand(async () => clean).run({ io, flags, operands: [] });
}
