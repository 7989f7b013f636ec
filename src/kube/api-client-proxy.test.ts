import assert from "node:assert/strict";
import { test } from "node:test";
import { makeCertificate, startFakeApiServer } from "../../test/support/fake-api-server.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { startHttpProxy, startSocksProxy } from "../../test/support/proxies.ts";
import { startRelay } from "../../test/support/relay.ts";
import { systemClock } from "../clock.ts";
import { ApiClient } from "./api-client.ts";
import { TlsClient } from "./tls-client.ts";

const certificate = await makeCertificate();
const watchOf = "/api/v1/services?watch=1&resourceVersion=0";
const starters = {
  http: () => startHttpProxy(),
  https: () => startHttpProxy({ tls: certificate }),
  socks5: () => startSocksProxy(),
};

for (const scheme of ["http", "https", "socks5"] as const) {
  test(`watch() through a ${scheme} proxy lives as long as PINGs are answered, and no longer`, async () => {
    await using server = await startFakeApiServer();
    await using proxy = await starters[scheme]();
    await using relay = await startRelay(proxy.port);
    const clock = new FakeClock();
    const { tls: given } = server.cluster();
    const tls = { ...given, ca: Buffer.concat([given.ca ?? Buffer.alloc(0), Buffer.from("\n"), certificate.cert]) };
    const cluster = server.cluster({
      tls,
      tlsClient: new TlsClient(tls),
      proxy: new URL(`${scheme}://127.0.0.1:${relay.port}`),
    });
    await using client = new ApiClient({ cluster, clock }, { version: "0" });
    const lost = assert.rejects(client.watch(watchOf).next(), {
      code: "unavailable",
      message: /does not answer any more/,
    });
    await server.until(() => server.watchers === 1);
    for (let i = 0; i < 8; i++) {
      const answered = relay.answered();
      await clock.advance(4_000);
      await answered;
    }
    assert.equal(server.watchers, 1);
    relay.freeze();
    await clock.advance(15_000);
    await lost;
    assert.deepEqual(proxy.tunnels, [`127.0.0.1:${server.port}`]);
  });
}

test("request() names the proxy when it does not answer in time", async () => {
  await using silent = await startRelay(1);
  silent.freeze();
  await using server = await startFakeApiServer();
  const cluster = server.cluster({ proxy: new URL(`http://jo:secret@127.0.0.1:${silent.port}`) });
  await using client = new ApiClient({ cluster, clock: systemClock }, { version: "0", pool: { connectTimeoutMs: 50 } });
  await assert.rejects(client.getJson("/api"), (error: Error) => {
    assert.match(error.message, /through the proxy "http:\/\/127\.0\.0\.1:\d+"/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});
