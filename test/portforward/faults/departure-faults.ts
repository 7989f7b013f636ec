/** Suite: the runtime goes on answering pings and says no more of a stream, and perhaps its pod is deleted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { httpAnswer } from "../../support/upgrade-server.ts";
import { type FaultCarrier, type FaultLab, type Outcome, openFaultLab } from "./fault-lab.ts";
import { answer, bringTo, finish, heardBy, moments } from "./moments.ts";

/** A hang may last so long where nobody knows of the pod, and where its deletion is known. */
const noticedMs = { unknown: 15_000, deleted: 7_000 };

/** Longer than any of these. */
const slowMs = 30_000;

/** Those at which the pod may still say something. */
const openMoments = moments.filter((moment) => moment !== "after the data stream's FIN");

const notFound = JSON.stringify({
  ...{ kind: "Status", apiVersion: "v1", status: "Failure", message: 'pods "cart-0" not found', code: 404 },
  details: { name: "cart-0", kind: "pods" },
});

/** From now on the API server knows no such pod, until the answer is called. */
function deletePod(lab: FaultLab): () => void {
  lab.setOnUpgrade(({ socket }) => {
    socket.end(httpAnswer("404 Not Found", notFound));
    return false;
  });
  return () => lab.setOnUpgrade(() => true);
}

/** Registers the tests for one carrier. */
export function departureFaults(carrier: FaultCarrier): void {
  test("a stream that is not accepted though pings are answered is a RST within 15 s, and its question is sent once", async () => {
    await using lab = await openFaultLab(carrier);
    const { app } = await bringTo("before the reply", lab);
    const startedMs = lab.clock.monotonic();
    await lab.ended(app);
    assert.ok(lab.clock.monotonic() - startedMs <= noticedMs.unknown, `${lab.clock.monotonic() - startedMs} ms`);
    assert.deepEqual(await lab.outcome(app), { text: "", ending: "RST", code: "unavailable", next: "new" });
    assert.equal(lab.requests.length, 2, "the question was sent twice");
  });

  for (const moment of openMoments) {
    for (const answersPings of [true, false]) {
      const how = answersPings ? "answers pings alone" : "says nothing at all";
      test(`the pod is deleted ${moment}, and its runtime ${how}: a RST within 7 s`, async () => {
        await using lab = await openFaultLab(carrier);
        const { app, runtime } = await bringTo(moment, lab);
        runtime.answersPings = answersPings;
        const startedMs = lab.clock.monotonic();
        const restore = deletePod(lab);
        lab.retire();
        await lab.ended(app);
        const tookMs = lab.clock.monotonic() - startedMs;
        assert.ok(tookMs >= 4_000 && tookMs <= noticedMs.deleted, `${tookMs} ms`);
        assert.equal(lab.farEnds.length, 1, "the question was sent twice");
        restore();
        const expected: Outcome = { text: heardBy(moment), ending: "RST", code: "unavailable", next: "new" };
        assert.deepEqual(await lab.outcome(app), expected);
      });
    }
  }

  test("a pod that has only left its Service, and whose application is slow, is waited for", async () => {
    await using lab = await openFaultLab(carrier);
    const scene = await bringTo("after the reply", lab);
    lab.retire();
    const untilMs = lab.clock.monotonic() + slowMs;
    await lab.until(() => lab.clock.monotonic() >= untilMs);
    assert.equal(scene.app.ending, undefined);
    assert.ok(lab.requests.length > 1, "nobody has asked for the pod");
    finish("after the reply", scene);
    const expected: Outcome = { text: answer, ending: "FIN", code: undefined, next: "new" };
    assert.deepEqual(await lab.outcome(scene.app), expected);
  });
}
