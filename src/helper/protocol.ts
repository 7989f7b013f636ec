/**
 * The words between the user's part and the helper: one JSON object a message, one request in flight.
 * Promises that nothing is used before a parser here has looked at every field; both sides call them.
 * Used by root.ts (which is never more trusting than this) and client.ts.
 */
import { type ErrorCode, LocalizerError } from "../errors.ts";
import { isHostName } from "../model/host-name.ts";
import type { HostsEntry } from "../model/hosts-table.ts";
import { inRange, isKeptOut, isLoopbackAddress, type LoopbackRange } from "../model/loopback.ts";
import { isPort } from "../model/port.ts";
import { isReservedName } from "../model/reserved-names.ts";
import type { ListenAddress } from "../net/listen.ts";
import { broken, type Checked, errorCodeOf, fieldsOf, natural, optionalText, text, typeOf } from "./fields.ts";

/** Raised with every change that an older side would misread. */
export const protocolVersion = 1;

/** How big a request may be. */
export const limits = { entries: 50_000, namesPerEntry: 64, tableBytes: 8 * 1024 * 1024, removed: 100 } as const;

const protocolName = "localizer-helper";

/** First message of the user's part. */
export interface ClientHello {
  readonly type: "hello";
  readonly protocol: typeof protocolName;
  readonly version: number;
}

/** The helper's answer to it: who it is. */
export interface HelperHello extends ClientHello {
  readonly pid: number;
  readonly uid: number;
  /** What dead helpers had left and this one has removed, in words; absent when there was nothing. */
  readonly removed?: readonly string[];
}

/** A request without its number. Texts are checked for type and size only; see `listenAddress` and `hostsTable`. */
export type RequestBody =
  | { readonly type: "bind"; readonly address: string; readonly port: number }
  | { readonly type: "release"; readonly address: string }
  | { readonly type: "hosts"; readonly entries: readonly RawEntry[] }
  | { readonly type: "link"; readonly target: string }
  | { readonly type: "runtime-dir" }
  | { readonly type: "end" };

/** A line of the table as it came over the channel. */
export interface RawEntry {
  readonly address: string;
  readonly names: readonly string[];
}

/** What the user's part asks for. */
export type Request = RequestBody & { readonly id: number };

/** The user's part has adopted the listener of request `id`; only now the helper takes the next request. */
export interface Received {
  readonly type: "received";
  readonly id: number;
}

/** The helper's answer to a request: a listener (as the message's handle), done, or why not. */
export type Reply =
  | { readonly type: "bound"; readonly id: number }
  | { readonly type: "done"; readonly id: number; readonly path?: string }
  | {
      readonly type: "failed";
      readonly id: number;
      readonly code: ErrorCode;
      readonly message: string;
      readonly errno?: string;
    };

/** The helper's last word before it ends because the other side does not speak this protocol. */
export interface Refused {
  readonly type: "refused";
  readonly message: string;
}

/** The hello of the user's part. */
export function clientHello(): ClientHello {
  return { type: "hello", protocol: protocolName, version: protocolVersion };
}

/** The hello of the helper. */
export function helperHello(pid: number, uid: number, removed: readonly string[] = []): HelperHello {
  return { ...clientHello(), pid, uid, ...(removed.length > 0 ? { removed: removed.slice(0, limits.removed) } : {}) };
}

/** @throws LocalizerError `internal` when it is no hello, or one of another version */
export function parseClientHello(message: unknown): ClientHello {
  const fields = fieldsOf(message, ["type", "protocol", "version"]);
  demandHello(fields);
  return clientHello();
}

/** @throws LocalizerError `internal` when it is no hello of a helper, or one of another version */
export function parseHelperHello(message: unknown): HelperHello {
  demandNotRefused(message);
  const fields = fieldsOf(message, ["type", "protocol", "version", "pid", "uid"], ["removed"]);
  demandHello(fields);
  return helperHello(natural(fields, "pid"), natural(fields, "uid"), removedOf(fields.removed));
}

/**
 * Shape and size of a request.
 * @throws LocalizerError `internal` when it is none; the helper then ends
 */
export function parseRequest(message: unknown): Request {
  const type = typeOf(message);
  switch (type) {
    case "bind": {
      const fields = fieldsOf(message, ["type", "id", "address", "port"]);
      return { type, id: natural(fields, "id"), address: text(fields, "address"), port: natural(fields, "port") };
    }
    case "release": {
      const fields = fieldsOf(message, ["type", "id", "address"]);
      return { type, id: natural(fields, "id"), address: text(fields, "address") };
    }
    case "hosts": {
      const fields = fieldsOf(message, ["type", "id", "entries"]);
      return { type, id: natural(fields, "id"), entries: rawEntries(fields.entries) };
    }
    case "link": {
      const fields = fieldsOf(message, ["type", "id", "target"]);
      return { type, id: natural(fields, "id"), target: text(fields, "target") };
    }
    case "runtime-dir":
    case "end":
      return { type, id: natural(fieldsOf(message, ["type", "id"]), "id") };
    default:
      throw broken("an unknown request");
  }
}

/** @throws LocalizerError `internal` when it is not the word that `id`'s listener has arrived */
export function parseReceived(message: unknown, id: number): Received {
  const fields = fieldsOf(message, ["type", "id"]);
  if (fields.type !== "received" || fields.id !== id) throw broken(`anything but "received" of ${id}`);
  return { type: "received", id };
}

/** @throws LocalizerError `internal` when it is no answer to `id` */
export function parseReply(message: unknown, id: number): Reply {
  demandNotRefused(message);
  const type = typeOf(message);
  const reply = parseReplyOf(type, message);
  if (reply.id !== id) throw broken(`an answer to ${reply.id} instead of ${id}`);
  return reply;
}

function parseReplyOf(type: unknown, message: unknown): Reply {
  switch (type) {
    case "bound":
      return { type, id: natural(fieldsOf(message, ["type", "id"]), "id") };
    case "done": {
      const fields = fieldsOf(message, ["type", "id"], ["path"]);
      return { type, id: natural(fields, "id"), ...optionalText(fields, "path") };
    }
    case "failed": {
      const fields = fieldsOf(message, ["type", "id", "code", "message"], ["errno"]);
      const code = errorCodeOf(fields);
      return {
        type,
        id: natural(fields, "id"),
        code,
        message: text(fields, "message"),
        ...optionalText(fields, "errno"),
      };
    }
    default:
      throw broken("an unknown answer");
  }
}

/**
 * Where a bind request may listen.
 * @throws LocalizerError `denied` outside the range or for an address of the machine's own, `usage` when it is no address or port
 */
export function listenAddress(request: { address: string; port: number }, range: LoopbackRange): ListenAddress {
  const { address, port } = request;
  if (!isLoopbackAddress(address) || !isPort(port)) {
    throw new LocalizerError(
      "usage",
      `Cannot listen on ${JSON.stringify(address)} port ${port}: no loopback address and port`,
    );
  }
  if (!inRange(range, address) || isKeptOut(address)) {
    throw new LocalizerError("denied", `Cannot listen on ${address}:${port}: it is outside the helper's address range`);
  }
  return { address, port };
}

/**
 * The table that may be written: every address in the range and none of the machine's own, every name made of RFC 1123 labels.
 * @throws LocalizerError `denied` outside the range or for a reserved name, `usage` for a bad name
 */
export function hostsTable(entries: readonly RawEntry[], range: LoopbackRange): readonly HostsEntry[] {
  return entries.map(({ address, names }) => {
    if (!isLoopbackAddress(address) || !inRange(range, address) || isKeptOut(address)) {
      throw new LocalizerError(
        "denied",
        `Cannot write ${JSON.stringify(address)} into the hosts file: not in the range`,
      );
    }
    const bad = names.find((name) => !isHostName(name));
    if (bad !== undefined) {
      throw new LocalizerError("usage", `Cannot write ${JSON.stringify(bad)} into the hosts file: no valid host name`);
    }
    const reserved = names.find(isReservedName);
    if (reserved !== undefined) {
      throw new LocalizerError("denied", `Cannot write "${reserved}" into the hosts file: the name is reserved`);
    }
    return { address, names: names.filter(isHostName) };
  });
}

function rawEntries(value: unknown): readonly RawEntry[] {
  if (!Array.isArray(value) || value.length > limits.entries) throw broken("no table, or one that is too long");
  let bytes = 0;
  return value.map((entry: unknown) => {
    const fields = fieldsOf(entry, ["address", "names"]);
    const names: unknown = fields.names;
    if (!Array.isArray(names) || names.length > limits.namesPerEntry) throw broken("a table entry with bad names");
    const address = text(fields, "address");
    const texts = names.map((name: unknown) => text({ name }, "name"));
    bytes += address.length + texts.reduce((sum, name) => sum + name.length + 1, 0);
    if (bytes > limits.tableBytes) throw broken("a table that is too big");
    return { address, names: texts };
  });
}

function removedOf(value: unknown): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > limits.removed) throw broken("a hello with a bad list");
  return value.map((line: unknown) => text({ line }, "line"));
}

function demandHello(fields: Checked<"type" | "protocol" | "version", never>): void {
  if (fields.type !== "hello" || fields.protocol !== protocolName) throw broken("no hello of localizer");
  const version = natural(fields, "version");
  if (version !== protocolVersion) throw broken(`protocol version ${version}, want ${protocolVersion}`);
}

function demandNotRefused(message: unknown): void {
  if (typeOf(message) !== "refused") return;
  throw new LocalizerError("internal", text(fieldsOf(message, ["type", "message"]), "message"));
}
