import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalizerError } from "../errors.ts";
import { listPath, listVersion, watchPath } from "./list-watch.ts";

const services = { group: "", version: "v1", plural: "services" };
const slices = { group: "discovery.k8s.io", version: "v1", plural: "endpointslices" };

test("listPath() and watchPath() know groups, namespaces, versions and selectors", () => {
  assert.equal(listPath({ resource: services }, ""), "/api/v1/services");
  assert.equal(listPath({ resource: services }, "0"), "/api/v1/services?resourceVersion=0");
  const scope = { resource: slices, namespace: "shop", labelSelector: "a=b", fieldSelector: "metadata.name!=c" };
  const base = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";
  const selectors = "labelSelector=a%3Db&fieldSelector=metadata.name%21%3Dc";
  assert.equal(listPath(scope, ""), `${base}?${selectors}`);
  const query = "watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=300";
  assert.equal(watchPath(scope, "7", 300), `${base}?${query}&${selectors}`);
});

test("listPath() escapes every part of a kind", () => {
  const resource = { group: "a/b", version: "v1/../../x?y=", plural: "c/d#" };
  assert.equal(listPath({ resource }, ""), "/apis/a%2Fb/v1%2F..%2F..%2Fx%3Fy%3D/c%2Fd%23");
});

test("listVersion() reads the version, though there may be no items", () => {
  const metadata = { resourceVersion: "7" };
  assert.equal(listVersion({ metadata, items: [1] }, { resource: services }), "7");
  assert.equal(listVersion({ metadata, items: null }, { resource: services }), "7");
});

for (const value of [undefined, {}, { items: [] }, { metadata: { resourceVersion: "1" }, items: {} }]) {
  test(`listVersion() throws unavailable for ${JSON.stringify(value)}`, () => {
    const isUnavailable = (error: unknown) => error instanceof LocalizerError && error.code === "unavailable";
    assert.throws(() => listVersion(value, { resource: services }), isUnavailable);
  });
}
