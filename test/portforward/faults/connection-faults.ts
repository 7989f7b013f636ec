/** Suite: the upgraded connection is lost, or falls silent, at each moment. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { turns } from "../../support/event-loop.ts";
import { type FarEnd, type FaultCarrier, type Outcome, openFaultLab } from "./fault-lab.ts";
import { answer, bringTo, finish, heardBy, moments } from "./moments.ts";

/** Silence may last so long before it is a loss, looks at health included. */
const noticedMs = 15_000;

/** Ways to lose it. */
const losses: Readonly<Record<string, (farEnd: FarEnd) => unknown>> = {
  "a RST": ({ request }) => request.socket.resetAndDestroy(),
  "a FIN": ({ request }) => request.socket.end(),
  "an end of what carries SPDY": ({ runtime }) => runtime.socket.end(),
  "SPDY of another version": ({ runtime }) => runtime.socket.write(Buffer.from("8002000200000004", "hex")),
  "a page of HTML": ({ runtime }) => runtime.socket.write("\x80<html>502 Bad Gateway</html>\r\n\r\n"),
  "half a frame and a FIN": ({ request, runtime }) => {
    runtime.socket.write(Buffer.from("000000030000ffff61", "hex"));
    request.socket.end();
  },
};

/** Registers the tests for one carrier. */
export function connectionFaults(carrier: FaultCarrier): void {
  for (const moment of moments) {
    for (const [how, lose] of Object.entries(losses)) {
      test(`${how} ${moment} is a RST for the application, and the next connection is a new one`, async () => {
        await using lab = await openFaultLab(carrier);
        const { app, farEnd } = await bringTo(moment, lab);
        lose(farEnd);
        // Half a data frame is data all the same.
        const more = how.startsWith("half") && moments.indexOf(moment) < 3 ? "a" : "";
        const expected: Outcome = { text: heardBy(moment) + more, ending: "RST", code: "unavailable", next: "new" };
        assert.deepEqual(await lab.outcome(app), expected);
        assert.equal(lab.requests.length, 2, "the question was sent twice");
      });
    }

    test(`a connection that falls silent ${moment} is given up within ${noticedMs / 1000} s`, async () => {
      await using lab = await openFaultLab(carrier);
      const { app, runtime } = await bringTo(moment, lab);
      const isOver = moment === "after the data stream's FIN";
      runtime.answersPings = false;
      const startedMs = lab.clock.monotonic();
      await lab.ended(app);
      assert.ok(lab.clock.monotonic() - startedMs <= noticedMs, `${lab.clock.monotonic() - startedMs} ms`);
      // The error stream's silence counts as a clean end after 250 ms.
      const expected = isOver
        ? { text: answer, ending: "FIN", code: undefined, next: "new" }
        : { text: heardBy(moment), ending: "RST", code: "unavailable", next: "new" };
      assert.deepEqual(await lab.outcome(app), expected);
    });
  }

  for (const [how, lose] of Object.entries(losses)) {
    test(`${how} before the application has said anything is mended by another connection`, async () => {
      await using lab = await openFaultLab(carrier);
      const app = lab.call();
      const farEnd = await lab.farEnd();
      await farEnd.runtime.takePair();
      lose(farEnd);
      // What half a frame has said before it broke off cannot be taken back.
      if (how.startsWith("half")) {
        await lab.ended(app);
        assert.deepEqual([app.text, app.ending, lab.code], ["a", "RST", "unavailable"]);
        return;
      }
      const { runtime } = await lab.farEnd(1);
      app.socket.write("question");
      const { dataId, errorId } = await runtime.takePair();
      assert.equal(String(await runtime.takeData(8)), "question");
      runtime.say(dataId, answer, true);
      runtime.fin(errorId);
      await lab.ended(app);
      assert.deepEqual([app.text, app.ending], [answer, "FIN"]);
    });

    test(`${how} while nobody uses the connection harms nobody`, async () => {
      await using lab = await openFaultLab(carrier);
      const scene = await bringTo("after data", lab);
      finish("after data", scene);
      await lab.ended(scene.app);
      scene.app.socket.destroy();
      await turns(50);
      lose(scene.farEnd);
      await lab.until(() => scene.farEnd.request.socket.destroyed || scene.farEnd.request.socket.readableEnded);
      assert.equal(await lab.next(), "new");
      assert.equal(lab.code, undefined);
    });
  }

  test("a connection that two share: its loss is a RST for both, and the next is served by a new one", async () => {
    await using lab = await openFaultLab(carrier, { connectionsPerPod: 1 });
    const { app, farEnd, runtime } = await bringTo("after data", lab);
    const bystander = lab.call();
    bystander.socket.write("question");
    await lab.until(() => runtime.frames.some(({ kind }) => kind === "syn"));
    const { dataId, errorId } = await runtime.takePair();
    const accepted = { kind: "reply", fin: false } as const;
    // Before that nothing is sent on a connection that others use.
    runtime.send({ ...accepted, streamId: dataId }, { ...accepted, streamId: errorId });
    await lab.until(() => runtime.frames.some(({ kind }) => kind === "data"));
    assert.equal(String(await runtime.takeData(8)), "question");
    assert.equal(lab.requests.length, 1, "they do not share it");
    farEnd.request.socket.resetAndDestroy();
    await lab.ended(app);
    await lab.ended(bystander);
    assert.deepEqual([app.text, app.ending], [answer, "RST"]);
    assert.deepEqual([bystander.text, bystander.ending, lab.code], ["", "RST", "unavailable"]);
    assert.equal(lab.requests.length, 1, "the question was sent twice");
    assert.equal(await lab.next(), "new");
  });

  test("the loss of one of a pod's two connections is a RST for its own application alone", async () => {
    await using lab = await openFaultLab(carrier);
    const { app, farEnd } = await bringTo("after data", lab);
    const other = lab.call();
    other.socket.write("question");
    const { runtime } = await lab.farEnd(1);
    const { dataId, errorId } = await runtime.takePair();
    farEnd.request.socket.resetAndDestroy();
    await lab.ended(app);
    await turns(50);
    assert.deepEqual([app.ending, other.ending], ["RST", undefined]);
    runtime.say(dataId, answer, true);
    runtime.fin(errorId);
    await lab.ended(other);
    assert.deepEqual([other.text, other.ending], [answer, "FIN"]);
    other.socket.destroy();
    assert.equal(await lab.next(), "new");
  });
}
