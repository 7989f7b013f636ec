/** The process channel between the user's part and the helper, with one shape for both ends. */
import type { ChildProcess } from "node:child_process";
import type { Server } from "node:net";
import { LocalizerError } from "../errors.ts";

/** One end of a message channel that can carry a listening socket. Messages arrive in order. */
export interface Channel {
  /** Resolves when the message, and the listener with it, was written. @throws LocalizerError `unavailable` when the channel is closed */
  send(message: object, server?: Server): Promise<void>;
  /** Calls back for each message; what arrived before is kept until then. Call it once. */
  onMessage(receive: (message: unknown, handle: unknown) => void): void;
  /** Calls back once when either side has closed it, at once if that has happened already. */
  onClose(closed: () => void): void;
  /** Closes both directions. May be called twice. */
  close(): void;
}

/** Our end towards a child that was started with an "ipc" stream. */
export function channelToChild(child: ChildProcess): Channel {
  // Without a listener a failed write would end this process.
  child.on("error", () => {});
  return channelOver(child);
}

/** Our end towards the parent, or undefined when this process was not started with a channel. */
export function channelToParent(): Channel | undefined {
  return process.channel == null ? undefined : channelOver(process);
}

function channelOver(end: ChildProcess | NodeJS.Process): Channel {
  return {
    send: (message, server) =>
      new Promise((resolve, reject) => {
        const done = (error: Error | null) => (error === null ? resolve() : reject(closedError(error)));
        if (!end.connected || end.send === undefined) return reject(closedError(undefined));
        end.send(message, server, {}, done);
      }),
    onMessage: (receive) => {
      end.on("message", receive);
    },
    onClose: (closed) => {
      if (end.connected) end.once("disconnect", closed);
      else queueMicrotask(closed);
    },
    close: () => {
      if (end.connected) end.disconnect?.();
    },
  };
}

function closedError(cause: unknown): LocalizerError {
  return new LocalizerError("unavailable", "Cannot reach the other side of the helper's channel: it is closed", {
    cause,
  });
}
