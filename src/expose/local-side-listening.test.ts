import assert from "node:assert/strict";
import { test } from "node:test";
import { textOf } from "../../test/support/channel-taker.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { localProcess } from "../../test/support/local-process.ts";
import { systemClock } from "../clock.ts";
import { LocalizerError } from "../errors.ts";
import { type Port, port } from "../model/port.ts";
import { localDialer } from "../net/dial-local.ts";
import { openLocalSide } from "./local-side.ts";

test("isListening() says whether a process listens, and counts nothing", async () => {
  await using local = await localProcess();
  const { signal } = new AbortController();
  const accepted = local.accepted();
  assert.equal(await local.side.isListening(signal), true);
  await textOf(await accepted);
  const dial = localDialer({ clock: systemClock });
  await using nobody = openLocalSide({ clock: new FakeClock(), dial }, { local: port(1), remote: port(80) });
  assert.equal(await nobody.isListening(signal), false);
  const counts = { open: 0, total: 0, bytesIn: 0, bytesOut: 0, refused: 0 };
  assert.deepEqual([local.side.counts, nobody.counts], [counts, counts]);
});

test("isListening() does not dial whom it sees", async () => {
  const dial = () => Promise.reject(new LocalizerError("refused", "Nobody listens"));
  const parts = { clock: new FakeClock(), dial, sees: async (at: Port) => at === 8080 };
  const { signal } = new AbortController();
  const sides = [8080, 8081].map((local) => openLocalSide(parts, { local: port(local), remote: port(80) }));
  assert.deepEqual(await Promise.all(sides.map((side) => side.isListening(signal))), [true, false]);
});

test("isListening() takes a process whose queue is full for one that listens, and stops with its signal", async () => {
  const fails = (code: "timeout" | "unavailable") => {
    const dial = () => Promise.reject(new LocalizerError(code, "So it is"));
    return openLocalSide({ clock: new FakeClock(), dial }, { local: port(8080), remote: port(80) });
  };
  const { signal } = new AbortController();
  assert.equal(await fails("timeout").isListening(signal), true);
  assert.equal(await fails("unavailable").isListening(signal), false);
  await assert.rejects(fails("timeout").isListening(AbortSignal.abort()), { code: "aborted" });
});
