/** Whatever happens in whatever order: no connection is handed out that is in use or not proven to be well. */
import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { turns } from "../../test/support/event-loop.ts";
import { type MadeConnection, pooledPods } from "../../test/support/pooled-pods.ts";
import { refusedText } from "../../test/support/runtime-texts.ts";
import type { Frame } from "../../test/support/spdy-frames.ts";

type Step = {
  readonly kind: "open" | "write" | "end" | "leave" | "pod ends" | "pod refuses" | "pod resets" | "pong" | "wait";
  readonly at: number;
};

const kinds = ["open", "write", "end", "leave", "pod ends", "pod refuses", "pod resets", "pong", "wait"] as const;
const step: fc.Arbitrary<Step> = fc.record({ kind: fc.constantFrom(...kinds), at: fc.nat(20) });

/** The runtime's own view of one connection, from the frames alone. */
class Ledger {
  readonly made: MadeConnection;
  readonly #read: Frame[] = [];
  /** Data streams: whether the client may still send, by what the runtime saw. */
  readonly open = new Map<number, "talking" | "ended">();
  pings: number[] = [];
  #unanswered = 0;
  isSpoilt = false;

  constructor(made: MadeConnection) {
    this.made = made;
  }

  /** Takes what came; throws when a stream was opened that should not have been. */
  take(): void {
    for (const frame of this.made.runtime.frames.splice(0)) {
      this.#read.push(frame);
      if (frame.kind === "syn" && frame.headers.streamtype === "data") {
        assert.equal(this.isSpoilt, false, "a stream was opened on a connection on which one had failed");
        assert.equal([...this.open.values()].includes("talking"), false, "a stream was opened beside one in use");
        assert.equal(this.#unanswered, 0, "a stream was opened before pings were answered");
        this.open.set(frame.streamId, "talking");
      } else if (frame.kind === "data") {
        assert.equal(this.open.has(frame.streamId), true, "data after the pod's end");
        if (frame.fin) this.open.set(frame.streamId, "ended");
      } else if (frame.kind === "ping") {
        this.pings.push(frame.id);
        this.#unanswered++;
        // Five pings behind the last byte of whatever talked until then, which must talk no more.
        for (const id of this.open.keys()) this.open.set(id, "ended");
      }
    }
  }

  answer(): void {
    this.#unanswered -= this.pings.length;
    const pings = this.pings.splice(0).map((id) => ({ kind: "ping", id }) as const);
    if (pings.length > 0) this.made.runtime.send(...pings);
  }
}

test("PodPool hands out no connection that is in use, unproven or spoilt, whatever happens", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      // Limits out of reach, for sharing is another matter; no pings of its own.
      const limits = { connectionsPerPod: 1_000, connections: 1_000, spareMs: 0, pingEveryMs: 1e9 };
      const { dial, made, dialer, clock } = pooledPods(limits);
      const streams: Duplex[] = [];
      const ledgers: Ledger[] = [];
      const look = async () => {
        await turns(6);
        while (ledgers.length < made.length) ledgers.push(new Ledger(made[ledgers.length] ?? assert.fail()));
        for (const ledger of ledgers) ledger.take();
      };
      const stream = (at: number) => streams[at % Math.max(streams.length, 1)];
      const withStream = (at: number, run: (ledger: Ledger, dataId: number) => void) => {
        const ledger = ledgers[at % Math.max(ledgers.length, 1)];
        const ids = [...(ledger?.open.keys() ?? [])];
        const dataId = ids[at % Math.max(ids.length, 1)];
        if (ledger !== undefined && dataId !== undefined && !ledger.made.connection.closed.aborted) run(ledger, dataId);
      };
      for (const { kind, at } of steps) {
        if (kind === "open") streams.push((await dial()).resume());
        else if (kind === "write") stream(at)?.writable && stream(at)?.write("x");
        else if (kind === "end") stream(at)?.end();
        else if (kind === "leave") stream(at)?.destroy();
        else if (kind === "pong") ledgers[at % Math.max(ledgers.length, 1)]?.answer();
        else if (kind === "wait") await clock.advance(100);
        else {
          // A stream that was handed out before is none of this connection's later faults, though its SYNs wait 2 ms.
          await clock.advance(2);
          await look();
          withStream(at, (ledger, dataId) => {
            const { runtime } = ledger.made;
            ledger.open.delete(dataId);
            if (kind === "pod ends") return runtime.fin(dataId, dataId - 2);
            ledger.isSpoilt = true;
            if (kind === "pod resets") return runtime.send({ kind: "reset", streamId: dataId, status: 5 });
            runtime.say(dataId - 2, refusedText, true);
            runtime.fin(dataId);
          });
        }
        await look();
      }
      await dialer[Symbol.asyncDispose]();
      await turns(6);
      assert.equal(clock.pending, 0, "a timer is left");
      assert.ok(made.every(({ connection }) => connection.closed.aborted));
    }),
    { numRuns: 150 },
  );
});
