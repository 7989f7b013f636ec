import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LocalizerError } from "../errors.ts";
import { parseProxy, proxyFromEnvironment } from "./proxy-from-environment.ts";

/** The cases of golang.org/x/net/http/httpproxy, TestProxyForURL: http, https, no proxy, URL, wanted. */
const forUrl: readonly (readonly [env: Readonly<Record<string, string>>, url: string, wanted: string | undefined])[] = [
  [{ HTTP_PROXY: "127.0.0.1:8080" }, "http://example.com", "http://127.0.0.1:8080"],
  [{ HTTP_PROXY: "cache.corp.example.com:1234" }, "http://example.com", "http://cache.corp.example.com:1234"],
  [{ HTTP_PROXY: "cache.corp.example.com" }, "http://example.com", "http://cache.corp.example.com"],
  [{ HTTP_PROXY: "localhost" }, "http://example.com", "http://localhost"],
  [{ HTTP_PROXY: "localhost:3128" }, "http://example.com", "http://localhost:3128"],
  [{ HTTP_PROXY: "https://cache.corp.example.com" }, "http://example.com", "https://cache.corp.example.com"],
  [{ HTTP_PROXY: "http://127.0.0.1:8080" }, "http://example.com", "http://127.0.0.1:8080"],
  [{ HTTP_PROXY: "socks5://127.0.0.1" }, "http://example.com", "socks5://127.0.0.1"],
  [{ HTTP_PROXY: "socks5h://127.0.0.1:9" }, "http://example.com", "socks5://127.0.0.1:9"],
  [{ HTTP_PROXY: "http.proxy.tld", HTTPS_PROXY: "secure.tld" }, "http://insecure.tld/", "http://http.proxy.tld"],
  [{ HTTP_PROXY: "http.proxy.tld", HTTPS_PROXY: "secure.tld" }, "https://secure.org/", "http://secure.tld"],
  [{ HTTP_PROXY: "http.proxy.tld", HTTPS_PROXY: "https://secure.tld" }, "https://secure.org/", "https://secure.tld"],
  [{ HTTP_PROXY: "http.proxy.tld" }, "https://secure.tld/", undefined],
  [{}, "http://example.com", undefined],
  [{ NO_PROXY: "example.com", HTTP_PROXY: "proxy" }, "http://example.com/", undefined],
  [{ NO_PROXY: ".example.com", HTTP_PROXY: "proxy" }, "http://example.com/", "http://proxy"],
  [{ NO_PROXY: "ample.com", HTTP_PROXY: "proxy" }, "http://example.com/", "http://proxy"],
  [{ NO_PROXY: "example.com", HTTP_PROXY: "proxy" }, "http://foo.example.com/", undefined],
  [{ NO_PROXY: ".foo.com", HTTP_PROXY: "proxy" }, "http://example.com/", "http://proxy"],
  [{ NO_PROXY: ".示例.com", HTTP_PROXY: "proxy" }, "http://www.示例.com", undefined],
  [{ NO_PROXY: "xn--fsq092h.com", HTTP_PROXY: "proxy" }, "http://www.示例.com", undefined],
  [{ NO_PROXY: "示例.com", HTTP_PROXY: "proxy" }, "http://www.xn--fsq092h.com", undefined],
  [{ NO_PROXY: ":1", HTTP_PROXY: "proxy" }, "http://example.com", "http://proxy"],
  [{ NO_PROXY: "a, ,EXAMPLE.com", HTTP_PROXY: "proxy" }, "http://example.com", undefined],
  [{ NO_PROXY: "example.com:443", HTTPS_PROXY: "proxy" }, "https://example.com", undefined],
  [{ NO_PROXY: "example.com:6443", HTTPS_PROXY: "proxy" }, "https://example.com", "http://proxy"],
  [{ https_proxy: "lower" }, "https://example.com", "http://lower"],
  [{ HTTPS_PROXY: "upper", https_proxy: "lower" }, "https://example.com", "http://upper"],
  [{ HTTPS_PROXY: "p", no_proxy: "example.com" }, "https://example.com", undefined],
  [{ HTTPS_PROXY: "p", NO_PROXY: "other", no_proxy: "example.com" }, "https://example.com", "http://p"],
];

for (const [env, url, wanted] of forUrl) {
  test(`proxyFromEnvironment() gives ${wanted} for ${url} with ${JSON.stringify(env)}`, () => {
    assert.equal(proxyFromEnvironment(new URL(url), env)?.href.replace(/\/$/, ""), wanted);
  });
}

const noProxy =
  "foobar.com, .barbaz.net, *.wildcard.io, 192.168.1.1, 192.168.1.2:81, 192.168.1.3:80, 10.0.0.0/30, 2001:db8::52:0:1, [2001:db8::52:0:2]:443, [2001:db8::52:0:3]:80, 2002:db8:a::45/64";

/** The cases of TestUseProxy: host, whether the proxy is used. */
const useProxy: readonly (readonly [host: string, used: boolean])[] = [
  ["localhost", false],
  ["127.0.0.1", false],
  ["127.0.0.2", false],
  ["[::1]", false],
  ["[::ffff:127.0.0.1]", false],
  ["[::2]", true],
  ["192.168.1.1", false],
  ["192.168.1.2", true],
  ["192.168.1.3", false],
  ["192.168.1.4", true],
  ["10.0.0.2", false],
  ["10.0.0.4", true],
  ["[2001:db8::52:0:1]", false],
  ["[2001:db8::52:0:2]", true],
  ["[2001:db8::52:0:3]", false],
  ["[2002:db8:a::123]", false],
  ["[fe80::424b:c8be:1643:a1b6]", true],
  ["barbaz.net", true],
  ["www.barbaz.net", false],
  ["foobar.com", false],
  ["www.foobar.com", false],
  ["foofoobar.com", true],
  ["baz.com", true],
  ["localhost.net", true],
  ["local.localhost", true],
  ["barbarbaz.net", true],
  ["wildcard.io", true],
  ["nested.wildcard.io", false],
  ["awildcard.io", true],
];

for (const [host, used] of useProxy) {
  test(`proxyFromEnvironment() ${used ? "takes" : "passes over"} the proxy for ${host}`, () => {
    const url = new URL(`http://${host}:80`);
    assert.equal(proxyFromEnvironment(url, { HTTP_PROXY: "p", NO_PROXY: noProxy }) !== undefined, used);
    assert.equal(proxyFromEnvironment(url, { HTTP_PROXY: "p", NO_PROXY: "*" }), undefined);
    assert.equal(proxyFromEnvironment(url, { HTTP_PROXY: "p", NO_PROXY: `x,*,${noProxy}` }), undefined);
  });
}

for (const [value, found] of [
  ["foo://host", /HTTPS_PROXY: its scheme is "foo", not http, https or socks5$/],
  ["socks4://me:geheim@host", /scheme is "socks4"/],
  ["http://me:geheim@", /HTTPS_PROXY: it is no URL like/],
] as const) {
  test(`proxyFromEnvironment() refuses ${value} by name, and shows no password`, () => {
    assert.throws(
      () => proxyFromEnvironment(new URL("https://example.com"), { HTTPS_PROXY: value }),
      (error) => {
        assert.ok(error instanceof LocalizerError);
        assert.equal(error.code, "usage");
        assert.match(error.message, found);
        assert.doesNotMatch(error.message, /geheim/);
        return true;
      },
    );
  });
}

test("proxyFromEnvironment() takes any text in NO_PROXY without a throw", () => {
  const noise = fc.string({ unit: fc.constantFrom(..."[]:/*.,%1f0a x示".split("")) });
  fc.assert(
    fc.property(noise, (text) => {
      const proxy = proxyFromEnvironment(new URL("https://h.example"), { HTTPS_PROXY: "p", NO_PROXY: text });
      assert.equal(
        proxy === undefined,
        text.split(",").some((part) => part.trim() === "*"),
      );
    }),
  );
});

test("parseProxy() keeps user, password and port", () => {
  const url = parseProxy("me:p%40ss@proxy.example:3128", "x");
  assert.deepEqual([url.username, url.password, url.host], ["me", "p%40ss", "proxy.example:3128"]);
});
