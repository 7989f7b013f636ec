import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalizerError } from "../errors.ts";
import { parseEndpointSlice, serviceKeyOfSlice } from "./endpoint-slice.ts";

const labels = { "kubernetes.io/service-name": "cart" };
const metadata = { namespace: "shop", name: "cart-x.1", uid: "s1", labels };

test("parseEndpointSlice() keeps what is used and drops the rest", () => {
  const targetRef = { kind: "Pod", name: "cart-0", namespace: "shop", uid: "p1" };
  const slice = parseEndpointSlice({
    metadata,
    addressType: "IPv4",
    ports: [{ name: "web", protocol: "TCP", port: 8080, appProtocol: "http" }, { name: "all" }],
    endpoints: [
      {
        addresses: ["10.0.0.1"],
        conditions: { ready: false, serving: true, terminating: true },
        hostname: "cart-0",
        nodeName: "n1",
        targetRef,
        zone: "a",
      },
      { addresses: [] },
      null,
    ],
  });
  const pod = { namespace: "shop", name: "cart-0", uid: "p1", node: "n1" };
  const conditions = { ready: false, serving: true, terminating: true };
  assert.deepEqual(slice, {
    namespace: "shop",
    name: "cart-x.1",
    uid: "s1",
    service: "cart",
    addressType: "IPv4",
    ports: [{ name: "web", protocol: "TCP", port: 8080 }],
    endpoints: [{ addresses: ["10.0.0.1"], ...conditions, hostname: "cart-0", pod }],
  });
  assert.equal(serviceKeyOfSlice(slice), "shop/cart");
});

const conditions: readonly [given: unknown, ready: boolean, serving: boolean, terminating: boolean][] = [
  [undefined, true, true, false],
  [{}, true, true, false],
  [{ ready: null }, true, true, false],
  [{ ready: false }, false, false, false],
  [{ ready: false, serving: true }, false, true, false],
  [{ terminating: true }, true, true, true],
];

for (const [given, ready, serving, terminating] of conditions) {
  test(`parseEndpointSlice() reads conditions ${JSON.stringify(given)}`, () => {
    const value = { metadata, addressType: "IPv6", endpoints: [{ addresses: ["fd00::1"], conditions: given }] };
    const expected = [{ addresses: ["fd00::1"], ready, serving, terminating }];
    assert.deepEqual(parseEndpointSlice(value).endpoints, expected);
  });
}

test("parseEndpointSlice() knows no pod behind a targetRef of another kind or without uid", () => {
  const refs = [
    { kind: "Node", name: "n", uid: "x" },
    { kind: "Pod", name: "p" },
  ];
  const endpoints = refs.map((targetRef) => ({ addresses: ["10.0.0.1"], targetRef }));
  const slice = parseEndpointSlice({ metadata, addressType: "IPv4", endpoints });
  assert.deepEqual(
    slice.endpoints.map(({ pod }) => pod),
    [undefined, undefined],
  );
});

const foreign: readonly (readonly [namespace: string | undefined, name: string, isPod: boolean])[] = [
  [undefined, "cart-0", true],
  ["shop", "cart-0.a", true],
  ["shop", `${"a".repeat(70)}-0`, true],
  ["default", "cart-0", false],
  ["shop/pods/x", "cart-0", false],
  ["shop", "kubernetes:443/proxy/x?y=", false],
  ["shop", "..", false],
  ["shop", "a%2fb", false],
  ["shop", "Cart", false],
  ["shop", "cart\n", false],
  ["shop", "a".repeat(254), false],
];

for (const [namespace, name, isPod] of foreign) {
  test(`parseEndpointSlice() takes "${namespace}" and ${JSON.stringify(name.slice(0, 80))} for ${isPod ? "a" : "no"} pod`, () => {
    const targetRef = { kind: "Pod", uid: "p1", name, namespace };
    const endpoints = [{ addresses: ["10.0.0.1"], targetRef }];
    const [endpoint] = parseEndpointSlice({ metadata, addressType: "IPv4", endpoints }).endpoints;
    assert.deepEqual(endpoint?.pod, isPod ? { namespace: "shop", name, uid: "p1" } : undefined);
  });
}

const unreadable: readonly unknown[] = [
  undefined,
  { metadata },
  { metadata: { ...metadata, labels: {} }, addressType: "IPv4" },
  { metadata: { ...metadata, uid: "" }, addressType: "IPv4" },
  { metadata, addressType: "IPX" },
];

for (const value of unreadable) {
  test(`parseEndpointSlice() throws usage for ${JSON.stringify(value)}`, () => {
    assert.throws(() => parseEndpointSlice(value), LocalizerError);
  });
}
