/**
 * What the daemon says while it runs: a constant message and facts as fields, as text for a
 * person or as one JSON object a line. Promises one line per call, never a throw. Used everywhere.
 */
import { inspect } from "node:util";
import { LocalizerError } from "./errors.ts";

/** Severity, least first. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Facts of a log line. An Error is printed as its sentence. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line of the log, as a sink gets it. */
export interface LogEntry {
  readonly time: Date;
  readonly level: LogLevel;
  readonly scope: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** Where lines go. */
export type LogSink = (entry: LogEntry) => void;

const severity = { debug: 0, info: 1, warn: 2, error: 3 } as const;

/** Names the levels that `isLogLevel` accepts, for usage texts. */
export const logLevels: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** Says whether a word names a level. */
export function isLogLevel(word: string): word is LogLevel {
  return Object.hasOwn(severity, word);
}

/** A scope to log under. Children share sink and level. */
export class Logger {
  readonly #sink: LogSink;
  readonly #level: LogLevel;
  readonly #scope: string;

  constructor(sink: LogSink, options: { level?: LogLevel; scope?: string } = {}) {
    this.#sink = sink;
    this.#level = options.level ?? "info";
    this.#scope = options.scope ?? "";
  }

  /** A logger for a part, named `parent.part`. */
  child(part: string): Logger {
    const scope = this.#scope === "" ? part : `${this.#scope}.${part}`;
    return new Logger(this.#sink, { level: this.#level, scope });
  }

  debug(message: string, fields?: LogFields): void {
    this.#write("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#write("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#write("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#write("error", message, fields);
  }

  #write(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (severity[level] < severity[this.#level]) return;
    this.#sink({ time: new Date(), level, scope: this.#scope, message, fields });
  }
}

/** A logger that says nothing, for tests and for callers that do not care. */
export function silentLogger(): Logger {
  return new Logger(() => {});
}

/** `12:00:01 INFO tunnel: Opened tunnel key=shop/cart ports=2`, for a file with the day before it: `2026-01-31 12:00:01 …`. */
export function formatText(entry: LogEntry, { isDated = false }: { readonly isDated?: boolean } = {}): string {
  const clockTime = entry.time.toTimeString().slice(0, 8);
  const time = isDated ? `${dayOf(entry.time)} ${clockTime}` : clockTime;
  const scope = entry.scope === "" ? "" : `${entry.scope}: `;
  const fields = Object.entries(entry.fields).map(([name, value]) => ` ${name}=${quoteIfNeeded(plain(value))}`);
  return `${time} ${entry.level.toUpperCase().padEnd(5)} ${scope}${entry.message}${fields.join("")}`;
}

/** In local time, as the clock's. */
function dayOf(time: Date): string {
  const [month, day] = [time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, "0"));
  return `${time.getFullYear()}-${month}-${day}`;
}

/** One JSON object: time (RFC 3339), level, scope, msg, then the fields. */
export function formatJson(entry: LogEntry): string {
  const { time, level, scope, message, fields } = entry;
  const facts = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value)]));
  return JSON.stringify({ ...facts, time: time.toISOString(), level, scope, msg: message });
}

/** An error's sentence; a description of what JSON cannot hold (a loop, a bigint), so that no line is lost over it. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return LocalizerError.from(value).message;
  if (typeof value !== "object" && typeof value !== "bigint") return value;
  try {
    JSON.stringify(value);
    return value;
  } catch {
    return inspect(value, { breakLength: Number.POSITIVE_INFINITY });
  }
}

function quoteIfNeeded(value: unknown): string {
  const isText = typeof value !== "object" || value === null;
  const text = isText ? String(value) : (JSON.stringify(value) ?? "");
  const quoted = isText && /[\s"=\p{Cc}]|^$/u.test(text) ? JSON.stringify(text) : text;
  // What others wrote must not reach the terminal as a command; JSON escapes the rest.
  return quoted.replace(/\p{Cc}/gu, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
