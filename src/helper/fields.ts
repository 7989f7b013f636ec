/** Hand-written checks of message fields: from unknown to a value, or an error that ends the conversation. Pure. */
import { type ErrorCode, LocalizerError } from "../errors.ts";

const maxTextLength = 1024;

/** What one side did that the protocol does not have. */
export function broken(what: string): LocalizerError {
  return new LocalizerError("internal", `Cannot go on with the helper's channel: it carried ${what}`);
}

/** The fields of a message, nothing known of their values. */
export type Fields = Readonly<Record<string, unknown>>;

/** An object with these fields, nothing known of their values. */
export type Checked<Required extends string, Optional extends string> = { readonly [key in Required]: unknown } & {
  readonly [key in Optional]?: unknown;
};

/** @throws LocalizerError `internal` unless it is an object with exactly these fields */
export function fieldsOf<Required extends string, Optional extends string = never>(
  value: unknown,
  required: readonly Required[],
  optional: readonly Optional[] = [],
): Checked<Required, Optional> {
  if (!isObject(value)) throw broken("something that is no object");
  const names = Object.keys(value);
  const known: readonly string[] = [...required, ...optional];
  if (!names.every((name) => known.includes(name)) || !required.every((name) => names.includes(name))) {
    throw broken("a message with other fields");
  }
  // A copy of an object whose own keys were just compared with the two lists.
  return { ...value } as Checked<Required, Optional>;
}

/** As `fieldsOf`, without the fields that are not named: for what a newer localizer may have written. */
export function knownFieldsOf<Required extends string, Optional extends string = never>(
  value: unknown,
  required: readonly Required[],
  optional: readonly Optional[] = [],
): Checked<Required, Optional> {
  const known: ReadonlySet<string> = new Set([...required, ...optional]);
  const kept = isObject(value) ? Object.fromEntries(Object.entries(value).filter(([name]) => known.has(name))) : value;
  return fieldsOf(kept, required, optional);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @throws LocalizerError `internal` unless the field is an integer of 0 or more */
export function natural(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw broken(`a message without a number as "${name}"`);
}

/** @throws LocalizerError `internal` unless the field is a text of at most 1,024 characters */
export function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === "string" && value.length <= maxTextLength) return value;
  throw broken(`a message without a short text as "${name}"`);
}

/** The field as an object of its own, empty when it is absent. @throws LocalizerError `internal` when it is no short text */
export function optionalText<Name extends string>(fields: Fields, name: Name): { readonly [key in Name]?: string } {
  // The one key is `name`, its value a text: that is the type.
  return fields[name] === undefined ? {} : ({ [name]: text(fields, name) } as { readonly [key in Name]?: string });
}

// An object, so that the compiler misses no code that errors.ts may grow.
const errorCodes = {
  internal: true,
  usage: true,
  "no-daemon": true,
  "not-found": true,
  denied: true,
  unauthenticated: true,
  timeout: true,
  conflict: true,
  unavailable: true,
  refused: true,
  gone: true,
  expired: true,
  aborted: true,
} as const satisfies Readonly<Record<ErrorCode, true>>;

function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(errorCodes, value);
}

/** The field `type` of a message, if it is an object that has one. */
export function typeOf(message: unknown): unknown {
  return isObject(message) ? Reflect.get(message, "type") : undefined;
}

/** @throws LocalizerError `internal` unless the field `code` is one of errors.ts */
export function errorCodeOf(fields: { readonly code: unknown }): ErrorCode {
  const { code } = fields;
  if (!isErrorCode(code)) throw broken("an unknown error code");
  return code;
}
