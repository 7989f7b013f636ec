import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { port } from "../model/port.ts";
import { seenListener } from "./seen-listener.ts";

/** Tables of one socket each, on port 8080. */
function tables(socket: string, state: string) {
  const line = `   0: ${socket}:1F90 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 4711 1`;
  const name = socket.length === 8 ? "tcp" : "tcp6";
  return async (path: string) => {
    if (!path.endsWith(`/${name}`)) throw new Error("No such table");
    return Buffer.from(`  sl  local_address\n${line}\n`);
  };
}

test("seenListener() sees those that a connection to localhost comes to, and only where they listen", async () => {
  for (const [socket, state, isSeen] of [
    ["0100007F", "0A", true],
    ["00000000", "0A", true],
    ["0000000000000000FFFF00000100007F", "0A", true],
    ["00000000000000000000000000000000", "0A", true],
    ["00000000000000000000000001000000", "0A", true],
    ["0200007F", "0A", false],
    ["0100007F", "01", false],
  ] as const) {
    const sees = seenListener({ platform: "linux", read: tables(socket, state) });
    assert.deepEqual([socket, await sees(port(8080)), await sees(port(8081))], [socket, isSeen, false]);
  }
});

test("seenListener() sees nothing where there is no such table", async () => {
  const read = () => Promise.reject(new Error("No such table"));
  assert.equal(await seenListener({ platform: "linux", read })(port(8080)), false);
  assert.equal(await seenListener({ platform: "darwin", read: tables("0100007F", "0A") })(port(8080)), false);
});

test("seenListener() sees a real server of this machine", { skip: process.platform !== "linux" }, async () => {
  for (const host of ["127.0.0.1", "::1"]) {
    const server = createServer().listen({ port: 0, host });
    await once(server, "listening");
    const at = server.address();
    assert(at !== null && typeof at === "object");
    assert.equal(await seenListener()(port(at.port)), true);
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await seenListener()(port(at.port)), false);
  }
});
