/** A TCP connection on loopback, as a tunnel gets it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/** Both ends; disposing destroys them. */
export interface TcpPair extends AsyncDisposable {
  /** The application's end, half-open allowed. Its errors go unnoticed unless the test looks. */
  readonly app: Socket;
  /** The accepted end: paused, half-open allowed. */
  readonly local: Socket;
}

/** Makes one. */
export async function tcpPair(): Promise<TcpPair> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  assert(at !== null && typeof at === "object");
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const app = connect({ host: "127.0.0.1", port: at.port, allowHalfOpen: true });
  app.on("error", () => {});
  const local = await accepted;
  local.on("error", () => {});
  return {
    app,
    local,
    async [Symbol.asyncDispose]() {
      app.destroy();
      local.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Resolves when the application's end gets a RST; rejects when it gets a FIN. */
export async function isReset(app: Socket): Promise<void> {
  await assert.rejects(once(app.resume(), "end"), { code: "ECONNRESET" });
}
