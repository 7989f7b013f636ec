import assert from "node:assert/strict";
import { test } from "node:test";
import type { Report } from "./bench.ts";
import { formatMarkdown } from "./markdown.ts";
import { Recorder } from "./results.ts";
import { parseSettings } from "./settings.ts";

function report(): Report {
  const settings = parseSettings(["--only", "rate,refused"]);
  assert.ok(settings !== "help");
  const rate = new Recorder("rate", "The cluster\nsets the limit.");
  rate.add({ name: "new connections", unit: "1/s", better: "more", reach: "a | b" }, "localizer", 200);
  rate.note("eight workers");
  const refused = new Recorder("refused", "An echo.");
  refused.add({ name: "works", unit: "ms", better: "less" }, "kubectl", "exits");
  return {
    startedAt: "2026-11-28T10:00:00.000Z",
    surroundings: {
      processors: "2 × CPU (x64)",
      memoryGiB: 24,
      kernel: "Linux 6",
      node: "v26",
      kubernetes: "v1.34",
      containerd: "2.4",
      loadAverage: 0.5,
    },
    settings,
    rows: [rate.result(), refused.result("the cluster went away")],
  };
}

test("formatMarkdown() has machine, versions, date, command and every line of the table", () => {
  const text = formatMarkdown(report(), "npm run bench -- --quick");
  for (const part of ["2 × CPU (x64)", "v1.34", "v26", "containerd 2.4", "2026-11-28", "`npm run bench -- --quick`"]) {
    assert.ok(text.includes(part), part);
  }
  assert.match(text, /^\| rate \| new connections \| 1\/s \| more \| 200 \| - \| - \| - \| a \\\| b \|$/m);
  assert.match(text, /^\| refused \| works \| ms \| less \| - \| exits 1 of 1 \| - \| - \| {2}\|$/m);
});

test("formatMarkdown() says under each row what limits it, in one paragraph, and what failed", () => {
  const text = formatMarkdown(report(), "npm run bench");
  assert.match(text, /^### rate\n\nThe cluster sets the limit\.\n\n- eight workers\n- the row took 0 s$/m);
  assert.match(text, /^### refused\n\n\*\*Not measured to its end\*\*: the cluster went away\n\nAn echo\.$/m);
});
