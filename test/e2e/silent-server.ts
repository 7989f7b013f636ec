/** An API server that takes connections and says nothing, and a kubeconfig of a user's that leads to it. */
import { chownSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { ThrowawayUser } from "../support/throwaway-user.ts";

/** Starts it. */
export async function silentServer(home: string, { uid, gid }: ThrowawayUser) {
  const asked = Promise.withResolvers<void>();
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    asked.resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const path = join(home, "silent");
  const clusters = [{ name: "c", cluster: { server: `https://127.0.0.1:${port}` } }];
  const contexts = [{ name: "c", context: { cluster: "c", user: "u" } }];
  const users = [{ name: "u", user: { token: "t" } }];
  writeFileSync(path, JSON.stringify({ clusters, contexts, users, "current-context": "c" }), { mode: 0o600 });
  chownSync(path, uid, gid);
  return {
    kubeconfig: path,
    asked: () => asked.promise,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
