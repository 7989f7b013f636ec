/**
 * Names that may stand in a hosts file: RFC 1123 labels in lower case, at most 253 characters.
 * The helper checks again with the same function, so that a hostile cluster cannot write a line of its own.
 */
import { LocalizerError } from "../errors.ts";

declare const brand: unique symbol;

/** A valid host name in lower case, without a trailing dot. */
export type HostName = string & { readonly [brand]: "HostName" };

const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Says whether the text is one label of RFC 1123 in lower case, as Kubernetes demands of names. */
export function isDnsLabel(text: string): boolean {
  return label.test(text);
}

/** Says whether the text may stand in a hosts file: labels joined by dots, not a number or an address. */
export function isHostName(text: string): text is HostName {
  return text.length <= 253 && text.split(".").every(isDnsLabel) && !/^[0-9.]+$/.test(text);
}

/** @throws LocalizerError `usage` when the text is no valid host name */
export function hostName(text: string): HostName {
  if (!isHostName(text)) {
    throw new LocalizerError("usage", `Cannot use "${text}" as a host name: it is not made of RFC 1123 labels`);
  }
  return text;
}
