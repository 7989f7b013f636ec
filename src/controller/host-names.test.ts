import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isHostName } from "../model/host-name.ts";
import { serviceKey } from "../model/service-key.ts";
import { type HostNamePolicy, serviceNames } from "./host-names.ts";

const plain: HostNamePolicy = {
  clusterDomain: "cluster.local",
  namedNamespaces: new Set(),
  shortNamesFor: undefined,
  isTopLevelDomain: (word) => ["shop", "dev", "app", "com"].includes(word),
  taken: new Set(),
};

function names(service: string, policy: Partial<HostNamePolicy> = {}): readonly string[] {
  const [namespace = "", name = ""] = service.split("/");
  return serviceNames(serviceKey(namespace, name), { ...plain, ...policy }).names;
}

function skipped(service: string, policy: Partial<HostNamePolicy> = {}) {
  const [namespace = "", name = ""] = service.split("/");
  return serviceNames(serviceKey(namespace, name), { ...plain, ...policy }).skipped;
}

test("serviceNames() gives the names of cluster DNS, longest first", () => {
  assert.deepEqual(names("team-a/cart"), ["cart.team-a.svc.cluster.local", "cart.team-a.svc", "cart.team-a"]);
  assert.deepEqual(skipped("team-a/cart"), []);
});

test("serviceNames() follows the cluster's domain", () => {
  assert.equal(names("team-a/cart", { clusterDomain: "k8s.corp.example" })[0], "cart.team-a.svc.k8s.corp.example");
});

test("serviceNames() gives the bare name in one namespace only", () => {
  assert.ok(names("team-a/cart", { shortNamesFor: "team-a" }).includes("cart"));
  assert.ok(!names("team-b/cart", { shortNamesFor: "team-a" }).includes("cart"));
  assert.deepEqual(skipped("team-b/cart", { shortNamesFor: "team-a" }), []);
});

test("serviceNames() leaves svc.ns out where ns is a top-level domain that the user did not name", () => {
  for (const namespace of ["shop", "dev", "local", "internal", "test"]) {
    assert.ok(!names(`${namespace}/cart`).includes(`cart.${namespace}`), namespace);
    assert.deepEqual(skipped(`${namespace}/cart`), [
      {
        name: `cart.${namespace}`,
        reason: `"${namespace}" is a top-level domain; --namespace ${namespace} allows it`,
      },
    ]);
    assert.ok(names(`${namespace}/cart`, { namedNamespaces: new Set([namespace]) }).includes(`cart.${namespace}`));
  }
});

test("serviceNames() gives the two long names whatever the namespace and the cluster's domain are called", () => {
  const awkward = ["local", "svc", "cluster", "shop", "com", "dev", "ip6-net"];
  for (const namespace of awkward) {
    for (const clusterDomain of ["cluster.local", "corp.dev", "com", "shop"]) {
      for (const name of ["cart", "localhost", "ip6-gateway", namespace]) {
        const long = [`${name}.${namespace}.svc.${clusterDomain}`, `${name}.${namespace}.svc`];
        assert.deepEqual(names(`${namespace}/${name}`, { clusterDomain }).slice(0, 2), long);
      }
    }
  }
});

test("serviceNames() leaves out names that mean something to the machine", () => {
  const table: readonly (readonly [service: string, name: string])[] = [
    ["team-a/localhost", "localhost"],
    ["localdomain/localhost", "localhost.localdomain"],
    ["team-a/wpad", "wpad"],
    ["team-a/metadata", "metadata"],
    ["team-a/ip6-localhost", "ip6-localhost"],
    ["team-a/ip6-allnodes", "ip6-allnodes"],
  ];
  for (const [service, name] of table) {
    const [namespace] = service.split("/");
    assert.ok(!names(service, { shortNamesFor: namespace }).includes(name), service);
    const reasons = skipped(service, { shortNamesFor: namespace });
    assert.equal(reasons.find((left) => left.name === name)?.reason, "the name is reserved");
  }
});

test("serviceNames() leaves out names that are somebody else's", () => {
  const taken = new Set(["cart", "cart.team-a.svc"]);
  const reason = "the name stands elsewhere in the hosts file or is this machine's";
  assert.deepEqual(names("team-a/cart", { taken, shortNamesFor: "team-a" }), [
    "cart.team-a.svc.cluster.local",
    "cart.team-a",
  ]);
  assert.deepEqual(skipped("team-a/cart", { taken, shortNamesFor: "team-a" }), [
    { name: "cart.team-a.svc", reason },
    { name: "cart", reason },
  ]);
});

test("serviceNames() leaves out what would read as a number or an address", () => {
  const policy = { shortNamesFor: "2" };
  assert.deepEqual(names("2/1", policy), ["1.2.svc.cluster.local", "1.2.svc"]);
  assert.deepEqual(
    skipped("2/1", policy).map(({ name }) => name),
    ["1.2", "1"],
  );
});

test("serviceNames() gives nothing but valid names, whatever the cluster calls its services", () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
  const domain = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
  fc.assert(
    fc.property(label, label, domain, (namespace, name, clusterDomain) => {
      const given = names(`${namespace}/${name}`, { clusterDomain, shortNamesFor: namespace });
      assert.deepEqual(
        given.filter((text) => !isHostName(text)),
        [],
      );
      assert.equal(new Set(given).size, given.length);
    }),
  );
});
