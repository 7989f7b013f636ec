import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { daemonSettings } from "./daemon-settings.ts";

const io = { env: { HOME: "/home/me" }, stderr: () => {} };
const settings = (values: Record<string, string[]>) => daemonSettings(new Map(Object.entries(values)), io);

describe("daemonSettings()", () => {
  it("has the defaults of the original", () => {
    const { log: _, version, ...rest } = settings({});
    assert.match(version, /^\d+\.\d+\.\d+/);
    assert.deepEqual(rest, {
      kubeconfig: undefined,
      context: undefined,
      namespaces: [],
      skipNamespaces: [],
      clusterDomain: "cluster.local",
      range: { first: 127 * 2 ** 24, size: 2 ** 24 },
      hostsFile: undefined,
      socket: undefined,
      stateDir: "/home/me/.local/state/localizer",
      rootStateDir: undefined,
      selector: undefined,
      shortNames: undefined,
      allowSuffixes: [],
      skipPorts: [],
      engine: undefined,
      exposeImage: undefined,
      exposeLeaseMs: 60_000,
      exposeStartMs: 180_000,
      allowRootExec: false,
      helper: "auto",
      env: { HOME: "/home/me" },
    });
  });

  it("reads every flag", () => {
    const read = settings({
      kubeconfig: ["k"],
      context: ["kind"],
      namespace: ["a", "b,c"],
      "skip-namespace": ["d"],
      "cluster-domain": ["corp.example."],
      "ip-cidr": ["127.3.0.1/16"],
      "hosts-file": ["/srv/hosts"],
      socket: ["s"],
      "state-dir": ["/srv/state"],
      "root-state-dir": ["/srv/root"],
      selector: ["app=cart"],
      "short-names": ["off"],
      "allow-suffix": ["shop,dev"],
      "skip-port": ["8080", "9090,443"],
      "port-forward-engine": ["WebSocket"],
      "no-helper": ["true"],
      "allow-root-exec": ["yes"],
      "expose-image": ["sshd:1"],
      "expose-lease": ["10s"],
      "expose-timeout": ["1m"],
    });
    assert.equal(read.kubeconfig, resolve("k"));
    assert.equal(read.context, "kind");
    assert.deepEqual(read.namespaces, ["a", "b", "c"]);
    assert.deepEqual(read.skipNamespaces, ["d"]);
    assert.equal(read.clusterDomain, "corp.example");
    assert.deepEqual(read.range, { first: 127 * 2 ** 24 + 3 * 2 ** 16, size: 2 ** 16 });
    assert.equal(read.hostsFile, "/srv/hosts");
    assert.equal(read.socket, resolve("s"));
    assert.equal(read.stateDir, "/srv/state");
    assert.equal(read.helper, "none");
    assert.equal(read.rootStateDir, "/srv/root");
    assert.equal(read.selector, "app=cart");
    assert.equal(read.shortNames, "off");
    assert.deepEqual(read.allowSuffixes, ["shop", "dev"]);
    assert.deepEqual(read.skipPorts, [8080, 9090, 443]);
    assert.equal(read.engine, "websocket");
    assert.equal(read.allowRootExec, true);
    assert.deepEqual([read.exposeImage, read.exposeLeaseMs, read.exposeStartMs], ["sshd:1", 10_000, 60_000]);
  });

  it("takes --short-names without a value for the default", () => {
    assert.equal(settings({ "short-names": [""] }).shortNames, undefined);
  });

  it("takes auto for no engine in particular", () => {
    assert.equal(settings({ "port-forward-engine": ["auto"] }).engine, undefined);
  });

  it("refuses a range without an address for a service", () => {
    assert.throws(() => settings({ "ip-cidr": ["127.0.0.0/16"] }), {
      code: "usage",
      message: /belong to the machine$/,
    });
  });

  it("refuses times in which no exposure can live or start", () => {
    for (const [name, least] of [
      ["expose-lease", "3 s"],
      ["expose-timeout", "5 s"],
    ] as const) {
      const message = `Cannot use 1 s for --${name}: want ${least} or more`;
      assert.throws(() => settings({ [name]: ["1s"] }), { code: "usage", message });
    }
  });

  it("logs to stderr in the level and format that were asked for", () => {
    const lines: string[] = [];
    const flags = new Map([
      ["log-level", ["WARN"]],
      ["log-format", ["JSON"]],
    ]);
    const { log } = daemonSettings(flags, { env: {}, stderr: (text) => void lines.push(text) });
    log.info("Not this");
    log.warn("This", { key: "shop/cart" });
    const [line = "", ...rest] = lines;
    assert.deepEqual(rest, []);
    assert.match(line, /^\{"key":"shop\/cart",.*"msg":"This"\}\n$/);
  });

  for (const [name, value] of [
    ["ip-cidr", "10.0.0.0/8"],
    ["ip-cidr", "127.0.0.1"],
    ["cluster-domain", "Cluster_Local"],
    ["namespace", "Shop"],
    ["log-level", "loud"],
    ["log-format", "xml"],
    ["port-forward-engine", "spdy"],
    ["no-helper", "maybe"],
    ["expose-lease", "soon"],
    ["expose-timeout", "soon"],
  ] as const) {
    it(`refuses --${name} ${value}`, () => {
      assert.throws(() => settings({ [name]: [value] }), { code: "usage", message: new RegExp(`"${value}"`) });
    });
  }
});
