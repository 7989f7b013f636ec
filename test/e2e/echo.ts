/** A TCP client for the test application's echo port. */
import { once } from "node:events";
import { connect } from "node:net";

/** Sends all of `bytes` while it reads them back, and returns what came; throws after `timeoutMs` without the whole. */
export async function echo(address: string, port: number, bytes: Buffer, timeoutMs = 30_000): Promise<Buffer> {
  const socket = connect({ host: address, port, noDelay: true });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no echo from ${address}:${port}`)));
  try {
    await once(socket, "connect");
    socket.write(bytes);
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of socket) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= bytes.length) break;
    }
    return Buffer.concat(chunks);
  } finally {
    socket.destroy();
  }
}

/** The error code of a connection that is refused or reset; undefined when it was opened and ended in order. */
export async function connectError(address: string, port: number): Promise<string | undefined> {
  const socket = connect({ host: address, port });
  try {
    await once(socket, "connect");
    socket.resume();
    await once(socket, "close");
    return undefined;
  } catch (error) {
    return String(Reflect.get(Object(error), "code"));
  } finally {
    socket.destroy();
  }
}
