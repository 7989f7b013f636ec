import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeIo } from "../../test/rpc/fake-io.ts";
import { detachedIo } from "./detached-io.ts";

test("detachedIo() hears TERM and nothing else", () => {
  const io = fakeIo();
  const heard: string[] = [];
  using _requests = detachedIo(io, () => {}).onStop((request) => heard.push(request));
  for (const request of ["SIGINT", "SIGHUP", "SIGTERM"] as const) io.ask(request);
  assert.deepEqual(heard, ["SIGTERM"]);
});

test("detachedIo() leaves the terminal after what ends the start was printed", () => {
  const io = fakeIo();
  const printedBefore: string[] = [];
  detachedIo(io, () => printedBefore.push(io.out())).stdout("3 services answer\n");
  assert.deepEqual(printedBefore, ["3 services answer\n"]);
});
