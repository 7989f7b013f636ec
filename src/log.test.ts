import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LocalizerError } from "./errors.ts";
import { formatJson, formatText, isLogLevel, type LogEntry, Logger, logLevels, silentLogger } from "./log.ts";

function entry(parts: Partial<LogEntry>): LogEntry {
  const time = new Date(2026, 4, 17, 12, 0, 1);
  return { time, level: "info", scope: "tunnel", message: "Opened tunnel", fields: {}, ...parts };
}

test("Logger passes on what is at or above its level", () => {
  const seen: string[] = [];
  const log = new Logger(({ level, message }) => seen.push(`${level} ${message}`), { level: "warn" });
  log.debug("a");
  log.info("b");
  log.warn("c");
  log.error("d");
  assert.deepEqual(seen, ["warn c", "error d"]);
});

test("Logger says info and above when no level is asked for", () => {
  const seen: LogEntry[] = [];
  const log = new Logger((line) => seen.push(line));
  log.debug("a");
  log.info("b", { port: 80 });
  assert.deepEqual(
    seen.map(({ level, scope, message, fields }) => ({ level, scope, message, fields })),
    [{ level: "info", scope: "", message: "b", fields: { port: 80 } }],
  );
});

test("Logger.child() adds its part to the scope and shares sink and level", () => {
  const scopes: string[] = [];
  const root = new Logger(({ scope }) => scopes.push(scope), { level: "error" });
  root.child("kube").child("reflector").error("x");
  root.child("kube").info("x");
  assert.deepEqual(scopes, ["kube.reflector"]);
});

test("silentLogger() takes every call", () => {
  silentLogger().error("x", { error: new Error("y") });
});

test("formatText() writes time, level, scope, message and fields on one line", () => {
  const fields = { key: "shop/cart", ports: 2, ready: true, names: ["a", "b"] };
  assert.equal(
    formatText(entry({ fields })),
    '12:00:01 INFO  tunnel: Opened tunnel key=shop/cart ports=2 ready=true names=["a","b"]',
  );
  assert.equal(formatText(entry({ level: "error", scope: "" })), "12:00:01 ERROR Opened tunnel");
});

test("formatText() quotes texts that would not read as one value", () => {
  const fields = { empty: "", spaces: "a b", sign: "a=b", quote: 'a"b', lines: "a\nb" };
  assert.equal(
    formatText(entry({ fields })),
    '12:00:01 INFO  tunnel: Opened tunnel empty="" spaces="a b" sign="a=b" quote="a\\"b" lines="a\\nb"',
  );
});

test("formatText() passes no control character of a field to the terminal", () => {
  const fields = { pod: "\u001b[2Jgone\u0007", c1: "\u009b2J", nested: ["\u009b"] };
  assert.match(formatText(entry({ fields })), / pod="\\u001b\[2Jgone\\u0007" c1="\\u009b2J" nested=\["\\u009b"\]$/);
});

test("formatText() and formatJson() print an error as its sentence", () => {
  const fields = { error: new LocalizerError("gone", "The pod is gone") };
  assert.match(formatText(entry({ fields })), / error="The pod is gone"$/);
  assert.equal(JSON.parse(formatJson(entry({ fields }))).error, "The pod is gone");
});

test("formatJson() writes the line's own facts, whatever the fields are called", () => {
  const time = new Date(Date.UTC(2026, 4, 17, 12, 0, 1, 5));
  const line = formatJson(entry({ time, fields: { port: 80, level: "a field", msg: "a field" } }));
  assert.deepEqual(JSON.parse(line), {
    port: 80,
    time: "2026-05-17T12:00:01.005Z",
    level: "info",
    scope: "tunnel",
    msg: "Opened tunnel",
  });
});

test("formatText() and formatJson() never throw and write one line, whatever the fields hold", () => {
  const round: Record<string, unknown> = {};
  round.self = round;
  const odd = fc.constantFrom<unknown>(
    round,
    10n,
    Symbol("a\nb"),
    () => "a\nb",
    undefined,
    null,
    new Error("a\nb"),
    Number.NaN,
  );
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom("a", "b"), fc.oneof(fc.anything(), odd)), (fields) => {
      for (const format of [formatText, formatJson]) assert.equal(format(entry({ fields })).split("\n").length, 1);
    }),
  );
});

test("isLogLevel() accepts the four levels and nothing that every object has", () => {
  assert.ok(logLevels.every(isLogLevel));
  assert.deepEqual(["INFO", "", "constructor", "toString"].filter(isLogLevel), []);
});
