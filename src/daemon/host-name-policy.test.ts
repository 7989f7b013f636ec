import assert from "node:assert/strict";
import { hostname } from "node:os";
import { test } from "node:test";
import { ForeignNames } from "./foreign-names.ts";
import { hostNamePolicy } from "./host-name-policy.ts";

type Options = Parameters<typeof hostNamePolicy>[0];

const defaults: Options = { namespaces: [], allowSuffixes: [], shortNames: undefined, clusterDomain: "cluster.local" };
const foreign = new ForeignNames({ names: new Set(["printer"]), addresses: new Set() });

/** The policy of a user with these options, and how DNS's answers get to it. */
function policyOf(options: Partial<Options> = {}, namespace: string | undefined = "team-a") {
  const listeners = new Set<(name: string) => void>();
  const systemNames = {
    resolvesElsewhere: (name: string) => (name === "intranet" ? true : undefined),
    settled: false,
    onAnswer: (listener: (name: string) => void) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => listeners.delete(listener) };
    },
  };
  const cluster = { namespace, server: new URL("https://API.corp.example:6443") };
  return { listeners, policy: hostNamePolicy({ ...defaults, ...options }, cluster, { foreign, systemNames }) };
}

test("hostNamePolicy() gives bare names to the context's namespace, to another, or to none", () => {
  assert.equal(policyOf().policy.shortNamesFor, "team-a");
  const { policy } = policyOf({ shortNames: "team-b" });
  assert.equal(policy.shortNamesFor, "team-b");
  assert.equal(policyOf({ shortNames: "off" }).policy.shortNamesFor, undefined);
});

test("hostNamePolicy() takes the API's own default where the context has no namespace", () => {
  const cluster = { namespace: undefined, server: new URL("https://c/") };
  const systemNames = { resolvesElsewhere: () => false, settled: true, onAnswer: () => ({ [Symbol.dispose]() {} }) };
  const policy = hostNamePolicy(defaults, cluster, { foreign, systemNames });
  assert.deepEqual([policy.shortNamesFor, policy.namedNamespaces], ["default", new Set()]);
});

test("hostNamePolicy() knows the namespaces that the user named, one for short names not among them", () => {
  const { policy } = policyOf({ namespaces: ["shop"], allowSuffixes: ["dev"], shortNames: "app" });
  assert.deepEqual(policy.namedNamespaces, new Set(["shop", "dev", "team-a"]));
});

test("hostNamePolicy() knows top-level domains, and the names of the machine, the hosts file and the API server", () => {
  const { policy } = policyOf();
  assert.deepEqual(["shop", "dev", "team-a"].map(policy.isTopLevelDomain), [true, true, false]);
  const taken = ["printer", hostname().toLowerCase(), "api.corp.example", "cart"].map((name) => policy.taken.has(name));
  assert.deepEqual(taken, [true, true, true, false]);
});

test("hostNamePolicy() hands on what DNS says, as the service whose bare name it is", () => {
  const { policy, listeners } = policyOf();
  assert.deepEqual([policy.resolvesElsewhere("intranet"), policy.resolvesElsewhere("cart")], [true, undefined]);
  assert.equal(policy.settled, false);
  const changed: string[] = [];
  const subscription = policy.onChange((key) => changed.push(key));
  for (const tell of listeners) tell("cart");
  assert.deepEqual(changed, ["team-a/cart"]);
  subscription[Symbol.dispose]();
  assert.equal(listeners.size, 0);
});

test("hostNamePolicy() follows the hosts file: names that are somebody's by now, and word of it for all services", () => {
  const live = new ForeignNames({ names: new Set(["printer"]), addresses: new Set() });
  const systemNames = { resolvesElsewhere: () => false, settled: true, onAnswer: () => ({ [Symbol.dispose]() {} }) };
  const cluster = { namespace: undefined, server: new URL("https://c/") };
  const policy = hostNamePolicy(defaults, cluster, { foreign: live, systemNames });
  const heard: string[] = [];
  const subscription = policy.onChange((changed) => heard.push(changed));
  live.set({ names: new Set(["printer"]), addresses: new Set() });
  assert.deepEqual(heard, []);
  live.set({ names: new Set(["cart"]), addresses: new Set() });
  assert.deepEqual([heard, policy.taken.has("cart"), policy.taken.has("printer")], [["all"], true, false]);
  subscription[Symbol.dispose]();
  live.set({ names: new Set(), addresses: new Set() });
  assert.deepEqual(heard, ["all"]);
});
