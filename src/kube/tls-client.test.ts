import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { createServer } from "node:tls";
import { promisify } from "node:util";
import { makeCertificate } from "../../test/support/fake-api-server.ts";
import { startHttp1Server } from "../../test/support/http1-server.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { systemClock } from "../clock.ts";
import { ApiClient } from "./api-client.ts";
import { sameCertificate } from "./tls-client.ts";

test("TlsClient trusts the system's authorities when the kubeconfig names none", async () => {
  const tls = await makeCertificate();
  await using server = await startHttp1Server(({ response }) => void response.end("{}"), { tls });
  using folder = temporaryFolder();
  const store = join(folder.path, "authorities.pem");
  await writeFile(store, tls.cert);
  const program = `
    import { dialApiServer } from ${JSON.stringify(new URL("dial.ts", import.meta.url).href)};
    const target = { server: new URL(${JSON.stringify(server.cluster().server.href)}), tls: { rejectUnauthorized: true } };
    const { socket } = await dialApiServer(target, { alpn: "either" }).catch((error) => ({ socket: error }));
    console.log(socket.authorized ?? socket.message);
    socket.destroy?.();`;
  const run = (env: Record<string, string>) =>
    promisify(execFile)(process.execPath, ["--input-type=module", "-e", program], { env });
  assert.equal((await run({ SSL_CERT_FILE: store })).stdout, "true\n");
  assert.match((await run({})).stdout, /its certificate is self-signed and not/);
});

test("an API call over HTTP/2 and HTTP/1.1 says that a client certificate is wanted", async () => {
  const tls = await makeCertificate();
  for (const ALPNProtocols of [["h2"], ["http/1.1"]]) {
    const server = createServer({ ...tls, ca: tls.cert, ALPNProtocols, requestCert: true, rejectUnauthorized: true });
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await using _closing = { [Symbol.asyncDispose]: () => new Promise<void>((done) => server.close(() => done())) };
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    await using other = await startHttp1Server(() => {}, { tls });
    const cluster = other.cluster({ server: new URL(`https://127.0.0.1:${address.port}`) });
    await using client = new ApiClient({ cluster, clock: systemClock }, { version: "0" });
    await assert.rejects(client.getJson("/api"), {
      code: "unavailable",
      message: /it wants a client certificate, and the user has none$/,
    });
  }
});

test("sameCertificate() compares the bytes", () => {
  const one = { cert: Buffer.from("a"), key: Buffer.from("b") };
  assert.equal(sameCertificate(undefined, undefined), true);
  assert.equal(sameCertificate(one, { cert: Buffer.from("a"), key: Buffer.from("b") }), true);
  assert.equal(sameCertificate(one, { ...one, key: Buffer.from("c") }), false);
  assert.equal(sameCertificate(one, undefined), false);
});
