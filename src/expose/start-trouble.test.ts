import assert from "node:assert/strict";
import { test } from "node:test";
import { keptLines } from "../../test/support/expose-lab.ts";
import { LocalizerError } from "../errors.ts";
import type { ExposeLine } from "./report.ts";
import { StartTrouble } from "./start-trouble.ts";

const stopped = new LocalizerError("aborted", "Stopped");
const refused = new LocalizerError("conflict", "Port 8080 is taken");

function why(lines: readonly ExposeLine[], cause: LocalizerError): string {
  const trouble = new StartTrouble(keptLines().report);
  for (const line of lines) trouble.report(line);
  const { code, message } = trouble.lateError("Late", cause);
  assert.equal(code, "timeout");
  return message;
}

const waits: ExposeLine = { level: "warn", step: "pod", message: "Pod waits: Unschedulable" };

test("StartTrouble.lateError() says what was tried last rather than what was told before", () => {
  assert.equal(why([waits], refused), "Late; Port 8080 is taken");
});

test("StartTrouble.lateError() says what was told last when it was waited", () => {
  assert.equal(why([waits, { ...waits, step: "lease", level: "info" }], stopped), "Late; Pod waits: Unschedulable");
  assert.equal(why([], stopped), "Late");
});

test("StartTrouble.lateError() blames nothing that has come right", () => {
  for (const step of ["pod", "ready"] as const) {
    assert.equal(why([waits, { level: "info", step, message: "Pod runs" }], stopped), "Late");
  }
});

test("StartTrouble.report() hands all lines on", () => {
  const { report, lines } = keptLines();
  new StartTrouble(report).report(waits);
  assert.deepEqual(lines, [waits]);
});
