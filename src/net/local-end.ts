/**
 * What an application meant that has ended its side of a connection: that it is gone, or that it waits for the answer. TCP
 * says the same in both cases; only this machine's kernel knows. Used by splice and by tunnel.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";

/** `unknown`: this machine does not say. */
export type PeerEnd = "closed" | "half-closed" | "unknown";

/** Says it of an accepted socket whose peer has ended its side. Never rejects. */
export type PeerEndOf = (socket: Socket) => Promise<PeerEnd>;

/** Whether the peer of an accepted socket has reset it, which Node does not tell of one that is paused. Never rejects. */
export type IsReset = (socket: Socket) => Promise<boolean>;

/** Who still reads is looked at again, ever less often. */
const again = { firstMs: 100, factor: 2, maxMs: 5_000 };

/**
 * Tells when it is known that the socket's peer has closed, or that it has not: "half-closed" at most once, "closed" at
 * last. Ends by itself when nothing can be known or the socket is destroyed, or when disposed.
 */
export function followLocalEnd(
  socket: Socket,
  { clock, peerEnd }: { readonly clock: Clock; readonly peerEnd: PeerEndOf },
  tell: (how: "closed" | "half-closed") => void,
): Disposable {
  let isDone = false;
  let timer: Disposable | undefined;
  let waitMs = again.firstMs;
  const ask = async () => {
    const how = await peerEnd(socket);
    if (isDone || socket.destroyed || how === "unknown") return;
    if (how === "closed" || waitMs === again.firstMs) tell(how);
    if (how === "closed") return;
    timer = clock.after(waitMs, () => void ask());
    waitMs = Math.min(waitMs * again.factor, again.maxMs);
  };
  void ask();
  return {
    [Symbol.dispose]() {
      isDone = true;
      timer?.[Symbol.dispose]();
    },
  };
}
