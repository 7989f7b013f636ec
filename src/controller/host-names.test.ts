import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isHostName } from "../model/host-name.ts";
import { serviceKey } from "../model/service-key.ts";
import { type HostNamePolicy, podNames, serviceNames } from "./host-names.ts";

const plain: HostNamePolicy = {
  clusterDomain: "cluster.local",
  namedNamespaces: new Set(),
  shortNamesFor: undefined,
  isTopLevelDomain: (word) => ["shop", "dev", "app", "com"].includes(word),
  taken: new Set(),
  resolvesElsewhere: () => false,
  settled: true,
  onChange: () => ({ [Symbol.dispose]() {} }),
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
        reason: `"${namespace}" is a top-level domain; --allow-suffix ${namespace} allows it`,
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

test("serviceNames() gives a bare name only when it is known to be nobody's", () => {
  const answers = new Map([
    ["free", false],
    ["intranet", true],
  ]);
  const policy = { shortNamesFor: "team-a", resolvesElsewhere: (name: string) => answers.get(name) };
  assert.ok(names("team-a/free", policy).includes("free"));
  for (const [name, reason] of [
    ["intranet", "this network's DNS has a host of that name"],
    ["unknown", "whether it is somebody's on this network is being asked"],
  ]) {
    assert.equal(names(`team-a/${name}`, policy).length, 3);
    assert.deepEqual(skipped(`team-a/${name}`, policy), [{ name, reason }]);
  }
});

test("serviceNames() asks for bare names alone that would be written otherwise", () => {
  const asked: string[] = [];
  const resolvesElsewhere = (name: string) => void asked.push(name);
  const policy = { shortNamesFor: "team-a", resolvesElsewhere, taken: new Set(["mine"]) };
  for (const service of ["team-a/cart", "team-b/web", "team-a/localhost", "team-a/mine", "team-a/7"]) {
    names(service, policy);
  }
  assert.deepEqual(asked, ["cart"]);
});

test("podNames() gives the names of cluster DNS and no bare one", () => {
  const service = serviceKey("team-a", "db");
  assert.deepEqual(podNames(service, "db-0", { ...plain, shortNamesFor: "team-a" }), {
    names: ["db-0.db.team-a.svc.cluster.local", "db-0.db.team-a.svc", "db-0.db.team-a"],
    skipped: [],
  });
});

test("podNames() leaves hostname.svc.ns out where ns is a top-level domain that the user did not name", () => {
  const service = serviceKey("shop", "db");
  const long = ["db-0.db.shop.svc.cluster.local", "db-0.db.shop.svc"];
  const reason = '"shop" is a top-level domain; --allow-suffix shop allows it';
  assert.deepEqual(podNames(service, "db-0", plain), {
    names: long,
    skipped: [{ name: "db-0.db.shop", reason }],
  });
  const allowed = podNames(service, "db-0", { ...plain, namedNamespaces: new Set(["shop"]) });
  assert.deepEqual(allowed.names, [...long, "db-0.db.shop"]);
});

test("podNames() takes no name that a Service may have: in a namespace svc, hostname.service.svc", () => {
  const { names: given, skipped: left } = podNames(serviceKey("svc", "db"), "db-0", plain);
  assert.deepEqual(given, ["db-0.db.svc.svc.cluster.local", "db-0.db.svc.svc"]);
  assert.deepEqual(left, [{ name: "db-0.db.svc", reason: "a Service may have that name" }]);
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
