/** Acting as somebody else: the headers that client-go sends (transport/round_trippers.go). Pure. */
import { LocalizerError } from "../errors.ts";
import { headerValue } from "./header-text.ts";
import { at, listAt } from "./json.ts";
import { wordAt } from "./kubeconfig-file.ts";

/** Headers of a request; names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | readonly string[]>>;

/**
 * The headers for `as`, `as-uid`, `as-groups` and `as-user-extra` of a kubeconfig's user; none when it has none of them.
 * @throws LocalizerError `usage` when the others stand without `as`, or a value cannot stand in a header
 */
export function impersonationHeaders(userName: string, user: unknown): RequestHeaders {
  const as = wordAt(user, "as");
  const uid = wordAt(user, "as-uid");
  const groups = words(listAt(user, "as-groups"));
  const extra = extraHeaders(at(user, "as-user-extra"));
  if (as === undefined) {
    if (uid === undefined && groups.length === 0 && extra.size === 0) return {};
    const sentence = `Cannot act as somebody else for the user "${userName}": as-uid, as-groups and as-user-extra need as`;
    throw new LocalizerError("usage", sentence);
  }
  const headers = {
    "impersonate-user": as,
    ...(uid === undefined ? {} : { "impersonate-uid": uid }),
    ...(groups.length === 0 ? {} : { "impersonate-group": groups }),
    ...Object.fromEntries(extra),
  };
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === "string" ? headerValue(userName, value) : value.map((one) => headerValue(userName, one)),
    ]),
  );
}

/** Keys that differ in case only are one header: its values go together. */
function extraHeaders(extra: unknown): ReadonlyMap<string, readonly string[]> {
  const headers = new Map<string, readonly string[]>();
  if (typeof extra !== "object" || extra === null || Array.isArray(extra)) return headers;
  for (const [key, values] of Object.entries(extra)) {
    const name = `impersonate-extra-${escapeKey(key).toLowerCase()}`;
    const given = words(Array.isArray(values) ? values : []);
    if (given.length > 0) headers.set(name, [...(headers.get(name) ?? []), ...given]);
  }
  return headers;
}

/** Bytes that no header name may hold, and %, as %XX (client-go's headerKeyEscape). */
function escapeKey(key: string): string {
  const bytes = [...Buffer.from(key, "utf8")].map((byte) => {
    const sign = String.fromCharCode(byte);
    return /[\w!#$&'*+.^`|~-]/.test(sign) ? sign : `%${byte.toString(16).padStart(2, "0").toUpperCase()}`;
  });
  return bytes.join("");
}

function words(values: readonly unknown[]): readonly string[] {
  return values.flatMap((value) => (typeof value === "string" ? [value] : (wordAt({ value }, "value") ?? [])));
}
