import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { daemonSettings } from "./daemon-settings.ts";

const io = { env: {}, stderr: () => {} };
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
      stateDir: undefined,
      helper: "auto",
      env: {},
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
      "no-helper": ["true"],
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
  });

  it("refuses a range without an address for a service", () => {
    assert.throws(() => settings({ "ip-cidr": ["127.0.0.0/16"] }), {
      code: "usage",
      message: /belong to the machine$/,
    });
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
    ["no-helper", "maybe"],
  ] as const) {
    it(`refuses --${name} ${value}`, () => {
      assert.throws(() => settings({ [name]: [value] }), { code: "usage", message: new RegExp(`"${value}"`) });
    });
  }
});
