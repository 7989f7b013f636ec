/** A TCP relay on 127.0.0.1 that can fall silent, as a cable that is pulled: nothing is closed, nothing arrives. */
import { connect, createServer, type Socket } from "node:net";
import { systemClock as clock } from "../../src/clock.ts";

/** The running relay. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** How many bytes came back from the far side so far. */
  readonly bytesBack: number;
  /** Cuts all connections; new ones can be made. */
  cut(): void;
  /** From now on no byte gets through, either way. */
  freeze(): void;
  /** Resolves when bytes come back from the far side after this call, and have reached the near side. */
  answered(): Promise<void>;
}

/** Relays connections to a port, of 127.0.0.1 unless another host is named; each way takes so long. */
export async function startRelay(to: number, host = "127.0.0.1", delayMs = 0): Promise<Relay> {
  const later = (run: () => void) => void (delayMs === 0 ? run() : clock.after(delayMs, run));
  const sockets = new Set<Socket>();
  let frozen = false;
  let bytesBack = 0;
  let wake = () => {};
  const server = createServer((near) => {
    const far = connect(to, host);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    near.on("data", (bytes) => frozen || later(() => far.write(bytes)));
    far.on("data", (bytes) => {
      if (frozen) return;
      bytesBack += bytes.length;
      later(() =>
        near.write(bytes, () => {
          // They lie in the near side's socket; the turn after the next has read them.
          setImmediate(() => setImmediate(wake));
        }),
      );
    });
    near.on("close", () => later(() => far.destroy()));
    far.on("close", () => later(() => near.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("not listening");
  return {
    port: address.port,
    get bytesBack() {
      return bytesBack;
    },
    cut() {
      for (const socket of sockets) socket.destroy();
    },
    freeze() {
      frozen = true;
    },
    answered() {
      return new Promise<void>((resolve) => {
        wake = resolve;
      });
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
