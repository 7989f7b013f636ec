/** The wire suite and long runs; `npm run soak` starts the cluster with one runtime, then the other. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { EngineName } from "../../src/model/engine-name.ts";
import { closed, read, wireSuite } from "./wire-suite.ts";

const sequential = 2_000;
const parallel = 100;

for (const engine of ["post-spdy", "websocket"] as const) {
  describe(`port-forward by ${engine}, for long`, () => soak(engine));
}

function soak(engine: EngineName): void {
  const wire = wireSuite(engine);

  test(`${sequential} connections one after the other and ${parallel} at once, none failing, no descriptor left`, async () => {
    // The pool keeps some of its connections.
    const others = () => openFiles() - wire.pooled();
    const before = others();
    for (let i = 0; i < sequential; i++) await exchange(`${i}`);
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: parallel }, (_, i) => exchange(`${round}.${i}`)));
    }
    // A connection is closed only when it is proven that all was consumed.
    for (let look = 0; look < 50 && others() > before + 5; look++) await sleep(100);
    assert.ok(others() <= before + 5, `${others() - before} descriptors are left`);
  });

  test("refused and good connections in turn, 300 times", async () => {
    for (let i = 0; i < 300; i++) {
      const refused = await wire.open(7999);
      refused.write("data");
      refused.resume();
      await new Promise((resolve) => refused.once("close", resolve));
      await exchange(`${i}`);
    }
  });

  async function exchange(text: string): Promise<void> {
    const stream = await wire.open(7000);
    stream.write(text);
    assert.equal((await read(stream, text.length)).toString(), text);
    await closed(stream);
  }
}

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}
