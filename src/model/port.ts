/** TCP port numbers, checked once. */
import { LocalizerError } from "../errors.ts";

declare const brand: unique symbol;

/** An integer from 1 to 65535. */
export type Port = number & { readonly [brand]: "Port" };

/** Says whether the value is an integer from 1 to 65535. */
export function isPort(value: unknown): value is Port {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;
}

/** @throws LocalizerError `usage` when the value is no port number */
export function port(value: unknown): Port {
  if (!isPort(value)) throw new LocalizerError("usage", `Cannot use "${String(value)}" as a port: want 1 to 65535`);
  return value;
}
