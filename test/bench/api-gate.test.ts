import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { offersHttp2 } from "./api-gate.ts";

for (const [protocols, offers] of [
  [["h2", "http/1.1"], true],
  [["http/1.1"], false],
] as const) {
  test(`offersHttp2() is ${offers} for a greeting with ${protocols.join(" and ")}`, async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const client = connect({ host: "127.0.0.1", port: address.port, ALPNProtocols: [...protocols] });
    client.on("error", () => {});
    const [socket] = await once(server, "connection");
    const [hello] = await once(socket, "data");
    client.destroy();
    socket.destroy();
    server.close();
    assert.equal(offersHttp2(hello), offers);
  });
}
