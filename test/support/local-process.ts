/** A server of this test with a `LocalSide` in front of it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { systemClock } from "../../src/clock.ts";
import { type LocalSide, openLocalSide } from "../../src/expose/local-side.ts";
import { port } from "../../src/model/port.ts";
import { localDialer } from "../../src/net/dial-local.ts";
import { duplexPair } from "./duplex-pair.ts";
import { FakeClock } from "./fake-clock.ts";

/** A process of this machine and the side that leads to it. */
export interface LocalProcess extends AsyncDisposable {
  readonly side: LocalSide;
  readonly clock: FakeClock;
  /** A caller's connection: its own end, and what the side was given. */
  call(): { caller: Duplex; channel: Duplex };
  /** The next connection that the process accepts. */
  accepted(): Promise<Socket>;
}

/** A local process that listens, and its side, which must be without a connection when both are disposed. */
export async function localProcess(): Promise<LocalProcess> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const at = server.address();
  assert(at !== null && typeof at === "object");
  const clock = new FakeClock();
  const parts = { clock, dial: localDialer({ clock: systemClock }) };
  const side = openLocalSide(parts, { local: port(at.port), remote: port(80) });
  return {
    side,
    clock,
    call: () => callOf(side),
    accepted: async () => (await once(server, "connection"))[0],
    async [Symbol.asyncDispose]() {
      await side[Symbol.asyncDispose]();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      assert.equal(side.counts.open, 0);
      assert.equal(clock.pending, 0);
    },
  };
}

/** A connection of a caller that the side is given. */
export function callOf(side: LocalSide): { caller: Duplex; channel: Duplex } {
  const { near: channel, far: caller } = duplexPair();
  caller.on("error", () => {});
  side.take(channel);
  return { caller, channel };
}
