/**
 * How much a server may send on a channel before it is read. ssh2 promises 2 MiB and renews that before anybody has read: a
 * reader that stops costs 3 MiB. It has no setting for it, so this reaches into ssh2 1.17, and refuses to work where it looks different.
 */
import type { Channel, Client } from "ssh2";
import { LocalizerError } from "../errors.ts";

/** RFC 4254, 5.2: promised when a channel opens, and renewed as it is read. */
export const receiveWindowBytes = 512 * 1024;

/** Takes the windows of the channel into our hands. Returns what renews the promise, by a number of bytes. */
export type TakeWindow = (channel: Channel) => (bytes: number) => void;

/**
 * Must be called after the client's `connect()` and before it opens channels.
 * @throws LocalizerError `internal` when it is not the ssh2 that was looked at
 */
export function takeWindows(client: Client): TakeWindow {
  const protocol = objectAt(client, "_protocol");
  const confirm = methodAt(protocol, "channelOpenConfirm");
  const adjust = methodAt(protocol, "channelWindowAdjust");
  Reflect.set(protocol, "channelOpenConfirm", (remote: number, local: number, _window: number, packet: number) =>
    confirm(remote, local, receiveWindowBytes, packet),
  );
  return (channel) => {
    // Never low, so never renewed by ssh2.
    Reflect.set(objectAt(channel, "incoming"), "window", Number.POSITIVE_INFINITY);
    const id: unknown = Reflect.get(objectAt(channel, "outgoing"), "id");
    return (bytes) => void adjust(id, bytes);
  };
}

function objectAt(holder: object, name: string): object {
  const value: unknown = Reflect.get(holder, name);
  if (typeof value !== "object" || value === null) throw unknownSsh2(name);
  return value;
}

/** The method as it is now, whatever stands in its place later. */
function methodAt(holder: object, name: string): (...values: readonly unknown[]) => unknown {
  const value: unknown = Reflect.get(holder, name);
  if (typeof value !== "function") throw unknownSsh2(name);
  return (...values) => Reflect.apply(value, holder, values);
}

function unknownSsh2(name: string): LocalizerError {
  return new LocalizerError("internal", `Cannot use this version of ssh2: it has no "${name}"`);
}
