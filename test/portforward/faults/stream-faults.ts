/** Suite: what a runtime may say about one stream, or about all, at each moment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../support/event-loop.ts";
import { brokenPipeText, closedText, refusedText } from "../../support/runtime-texts.ts";
import { control } from "../../support/spdy-frames.ts";
import { type FaultCarrier, type Outcome, openFaultLab } from "./fault-lab.ts";
import { answer, bringTo, finish, heardBy, moments, type Scene } from "./moments.ts";

/** How a stream that ends well looks from outside. */
const wellEnded = { text: answer, ending: "FIN", code: undefined } as const;

/** Registers the tests for one carrier. */
export function streamFaults(carrier: FaultCarrier): void {
  for (const moment of moments) {
    for (const [stream, status, code] of [
      ["data", 3, "refused"],
      ["data", 5, "unavailable"],
      ["error", 3, "refused"],
      ["error", 5, "unavailable"],
    ] as const) {
      test(`RST_STREAM ${status} of the ${stream} stream ${moment} is a RST, and ends the connection`, async () => {
        await using lab = await openFaultLab(carrier);
        const { app, runtime, pair } = await bringTo(moment, lab);
        runtime.send({ kind: "reset", streamId: stream === "data" ? pair.dataId : pair.errorId, status });
        const expected: Outcome = { text: heardBy(moment), ending: "RST", code, next: "new" };
        assert.deepEqual(await lab.outcome(app), expected);
      });
    }

    test(`GOAWAY ${moment} costs the stream nothing, and nobody uses the connection again`, async () => {
      await using lab = await openFaultLab(carrier);
      const scene = await bringTo(moment, lab);
      scene.runtime.send({ kind: "goaway" });
      await turns();
      assert.equal(scene.app.ending, undefined);
      finish(moment, scene);
      assert.deepEqual(await lab.outcome(scene.app), { ...wellEnded, next: "new" });
      assert.ok(scene.farEnd.request.socket.destroyed || scene.farEnd.request.socket.readableEnded, "it is still open");
    });

    test(`an application that breaks off ${moment} costs nobody anything: the pod gets a FIN unless it has ended`, async () => {
      await using lab = await openFaultLab(carrier);
      const { app, runtime, pair } = await bringTo(moment, lab);
      app.socket.resetAndDestroy();
      const isOver = moment === "after the data stream's FIN";
      if (isOver) await turns(50);
      else await lab.until(() => runtime.frames.length > 0);
      const fin = { kind: "data", streamId: pair.dataId, fin: true, bytes: Buffer.alloc(0) };
      assert.deepEqual(runtime.frames, isOver ? [] : [fin]);
      assert.equal(await lab.next(), "same");
      assert.equal(lab.code, undefined);
    });

    test(`frames that mean nothing ${moment} cost nothing`, async () => {
      await using lab = await openFaultLab(carrier);
      const scene = await bringTo(moment, lab);
      scene.runtime.socket.write(Buffer.concat(meaningless(scene)));
      await turns();
      assert.equal(scene.app.ending, undefined);
      finish(moment, scene);
      assert.deepEqual(await lab.outcome(scene.app), { ...wellEnded, next: "same" });
    });
  }

  for (const [how, say] of Object.entries(refusals)) {
    for (const [text, code] of [
      [refusedText, "refused"],
      [closedText, "gone"],
      ["nobody ever heard of this", "unavailable"],
    ] as const) {
      test(`${how}: a RST with the code ${code}, and the connection is not used again`, async () => {
        await using lab = await openFaultLab(carrier);
        const scene = await bringTo("before the reply", lab);
        say(scene, text);
        assert.deepEqual(await lab.outcome(scene.app), { text: "", ending: "RST", code, next: "new" });
      });
    }

    test(`${how}, after data: what was said arrives, then a RST`, async () => {
      await using lab = await openFaultLab(carrier);
      const scene = await bringTo("after data", lab);
      say(scene, brokenPipeText);
      const expected: Outcome = { text: answer, ending: "RST", code: "unavailable", next: "new" };
      assert.deepEqual(await lab.outcome(scene.app), expected);
    });
  }

  test("an error text that comes later than 250 ms after the data stream's FIN only ends the connection", async () => {
    await using lab = await openFaultLab(carrier);
    const { app, runtime, pair } = await bringTo("after the data stream's FIN", lab);
    await lab.clock.advance(250);
    runtime.say(pair.errorId, brokenPipeText, true);
    assert.deepEqual(await lab.outcome(app), { ...wellEnded, next: "new" });
  });

  test("an end without a word after a question is a RST: nobody knows what became of it", async () => {
    await using lab = await openFaultLab(carrier);
    const { app, runtime, pair } = await bringTo("after the reply", lab);
    runtime.fin(pair.dataId, pair.errorId);
    assert.deepEqual(await lab.outcome(app), { text: "", ending: "RST", code: "unavailable", next: "same" });
  });

  test("what comes for a stream that is over means nothing: data, FIN, text, reply, reset", async () => {
    await using lab = await openFaultLab(carrier);
    const scene = await bringTo("after data", lab);
    finish("after data", scene);
    await lab.ended(scene.app);
    const { runtime, pair } = scene;
    runtime.say(pair.dataId, "too late", true);
    runtime.say(pair.errorId, brokenPipeText, true);
    runtime.send(
      { kind: "reply", streamId: pair.dataId, fin: true },
      { kind: "reset", streamId: pair.dataId, status: 5 },
      { kind: "reset", streamId: pair.errorId, status: 1 },
    );
    assert.deepEqual(await lab.outcome(scene.app), { ...wellEnded, next: "same" });
  });

  test("FIN on the last data frame, and on a SYN_REPLY of the error stream, is an end like any other", async () => {
    await using lab = await openFaultLab(carrier);
    const { app, runtime, pair } = await bringTo("before the reply", lab);
    runtime.send(
      { kind: "reply", streamId: pair.errorId, fin: true },
      { kind: "reply", streamId: pair.dataId, fin: false },
    );
    runtime.say(pair.dataId, answer, true);
    assert.deepEqual(await lab.outcome(app), { ...wellEnded, next: "same" });
  });

  test("a stream that is reset when its application has left costs the connection", async () => {
    await using lab = await openFaultLab(carrier);
    const { app, runtime, pair } = await bringTo("after data", lab);
    app.socket.resetAndDestroy();
    await turns(50);
    runtime.send({ kind: "reset", streamId: pair.dataId, status: 5 });
    await turns(50);
    assert.equal(await lab.next(), "new");
  });
}

/** Ways to say why, each with what comes before and behind it. */
const refusals: Readonly<Record<string, (scene: Scene, text: string) => void>> = {
  "error text before any FIN": ({ runtime, pair }, text) => {
    runtime.say(pair.errorId, text);
    runtime.fin(pair.errorId);
    runtime.fin(pair.dataId);
  },
  "error text with the error stream's FIN, before the data stream's": ({ runtime, pair }, text) => {
    runtime.say(pair.errorId, text, true);
    runtime.fin(pair.dataId);
  },
  "error text with the error stream's FIN, and no FIN of the data stream": ({ runtime, pair }, text) => {
    runtime.say(pair.errorId, text, true);
  },
  "error text with its FIN behind the data stream's": ({ runtime, pair }, text) => {
    runtime.fin(pair.dataId);
    runtime.say(pair.errorId, text, true);
  },
  "error text behind the data stream's FIN, and no FIN of its own": ({ runtime, pair }, text) => {
    runtime.fin(pair.dataId);
    runtime.say(pair.errorId, text);
  },
  "error text behind its own stream's FIN": ({ runtime, pair }, text) => {
    runtime.fin(pair.errorId);
    runtime.say(pair.errorId, text);
    runtime.fin(pair.dataId);
  },
  "error text byte by byte, then resets of both streams": ({ runtime, pair }, text) => {
    for (const letter of text) runtime.say(pair.errorId, letter);
    runtime.send(
      { kind: "reset", streamId: pair.errorId, status: 5 },
      { kind: "reset", streamId: pair.dataId, status: 5 },
    );
  },
};

/** Frames of every type that a port-forward has no use for, and frames of streams that were never there. */
function meaningless({ pair }: Scene): readonly Buffer[] {
  const strange = pair.dataId + 100;
  const id = Buffer.alloc(4);
  id.writeUInt32BE(strange);
  const types = [1, 4, 5, 8, 9, 10, 11, 77, 0xffff].flatMap((type) => [
    control(type, false, Buffer.alloc(0)),
    control(type, true, Buffer.alloc(13, 255)),
    control(type, false, Buffer.alloc(65_536, 1)),
  ]);
  const data = Buffer.concat([id, Buffer.from("0100000378797a", "hex")]);
  const reset = control(3, false, Buffer.concat([id, Buffer.from("00000001", "hex")]));
  const pong = control(6, false, Buffer.from("7fffffff", "hex"));
  return [...types, data, control(2, true, id), reset, pong];
}
