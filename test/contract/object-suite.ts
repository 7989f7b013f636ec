/** Reading and writing single objects: what the API server says yes and no to, and in which words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiRequest } from "../../src/kube/api-client.ts";
import { at, listAt, textAt } from "../../src/kube/json.ts";
import { type ApiTarget, folderOf, leasePath, refusalOf, versionOf } from "./api-target.ts";

const limits = { timeout: 60_000 };
const merge = { contentType: "application/merge-patch+json" } as const;

/** Registers the cases, each as a test. The target must live as long as they run. */
export function objectSuite({ client, forgetful, namespaces: [namespace, other] }: ApiTarget): void {
  const folder = leasePath(namespace);
  const lease = (name: string, holder = "me") => ({ metadata: { name }, spec: { holderIdentity: holder } });

  const refusal = (request: ApiRequest) => refusalOf(client, request);

  test("an object is created, read, changed only when something changes, and deleted", limits, async () => {
    const made = await client.request({ method: "POST", path: folder, body: lease("whole") });
    assert.equal(textAt(made, "kind"), "Lease");
    assert.equal(textAt(made, "apiVersion"), "coordination.k8s.io/v1");
    assert.match(textAt(made, "metadata", "creationTimestamp") ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const path = leasePath(namespace, "whole");
    assert.deepEqual(await client.getJson(path), made);
    const same = await client.request({ method: "PUT", path, body: made });
    assert.equal(versionOf(same), versionOf(made));
    const body = { spec: { holderIdentity: null, leaseDurationSeconds: 5 }, metadata: { labels: { a: "b" } } };
    const patched = await client.request({ method: "PATCH", path, ...merge, body });
    assert.deepEqual(at(patched, "spec"), { leaseDurationSeconds: 5 });
    assert.equal(textAt(patched, "metadata", "labels", "a"), "b");
    assert.notEqual(versionOf(patched), versionOf(made));
    const gone = await client.request({ method: "DELETE", path });
    assert.equal(textAt(gone, "status"), "Success");
    assert.equal(textAt(gone, "details", "uid"), textAt(made, "metadata", "uid"));
  });

  test("a dry run answers as if, and does nothing", limits, async () => {
    const made = await client.request({ method: "POST", path: `${folder}?dryRun=All`, body: lease("dry") });
    assert.equal(textAt(made, "metadata", "name"), "dry");
    assert.match(await refusal({ method: "GET", path: leasePath(namespace, "dry") }), /^404/);
  });

  test("generateName is completed by the server", limits, async () => {
    const body = { ...lease(""), metadata: { generateName: "any-" } };
    const name = textAt(await client.request({ method: "POST", path: folder, body }), "metadata", "name") ?? "";
    assert.match(name, /^any-[a-z0-9]{5}$/);
    await client.request({ method: "DELETE", path: leasePath(namespace, name) });
  });

  test("a list takes label and field selectors", limits, async () => {
    for (const name of ["sel-a", "sel-b"]) {
      const body = { ...lease(name), metadata: { name, labels: { tier: name } } };
      await client.request({ method: "POST", path: folder, body });
    }
    const names = async (query: string) =>
      listAt(await client.getJson(`${folder}?${query}`), "items").map((item) => textAt(item, "metadata", "name"));
    const label = (text: string) => names(`labelSelector=${encodeURIComponent(text)}`);
    assert.deepEqual(await label("tier"), ["sel-a", "sel-b"]);
    assert.deepEqual(await label("tier=sel-a"), ["sel-a"]);
    assert.deepEqual(await label("tier!=sel-a,tier"), ["sel-b"]);
    assert.deepEqual(await label("tier in (sel-b, x)"), ["sel-b"]);
    assert.deepEqual(await label("tier notin (sel-b),tier"), ["sel-a"]);
    assert.deepEqual(await label("!tier,tier=sel-a"), []);
    assert.deepEqual(await names("fieldSelector=metadata.name%3Dsel-b"), ["sel-b"]);
    for (const name of ["sel-a", "sel-b"]) await client.request({ method: "DELETE", path: leasePath(namespace, name) });
  });

  test("what cannot be is refused in the same words", limits, async () => {
    const { resource: forgotten } = await forgetful();
    await client.request({ method: "POST", path: folder, body: lease("taken") });
    const path = leasePath(namespace, "taken");
    const noOne = leasePath(namespace, "none");
    const stale = { ...lease("taken"), metadata: { name: "taken", resourceVersion: "1" } };
    const unfulfilled = `Operation cannot be fulfilled on leases.coordination.k8s.io "taken": `;
    const modified = `409 Conflict: ${unfulfilled}the object has been modified; please apply your changes to the latest version and try again`;
    const wrongPlace = { ...lease("x"), metadata: { name: "x", namespace: other } };
    const absent = '404 NotFound: leases.coordination.k8s.io "none" not found';
    const noSuchPlace = leasePath("no-such-place");
    const table: readonly (readonly [ApiRequest, string | RegExp])[] = [
      [
        { method: "POST", path: folder, body: lease("taken") },
        '409 AlreadyExists: leases.coordination.k8s.io "taken" already exists',
      ],
      [
        { method: "POST", path: folder, body: { metadata: {} } },
        '422 Invalid: Lease.coordination.k8s.io "" is invalid: metadata.name: Required value: name or generateName is required',
      ],
      [
        { method: "POST", path: folder, body: lease("A_b") },
        /^422 Invalid: .*metadata\.name: Invalid value: "A_b": a lo/,
      ],
      [
        { method: "POST", path: folder, body: wrongPlace },
        "400 BadRequest: the namespace of the provided object does not match the namespace sent on the request",
      ],
      [{ method: "POST", path: noSuchPlace, body: lease("x") }, '404 NotFound: namespaces "no-such-place" not found'],
      [{ method: "POST", path: folder, body: { ...lease("x"), kind: "Pod", apiVersion: "v1" } }, /^400 BadRequest: /],
      [{ method: "GET", path: noOne }, absent],
      [{ method: "PATCH", path: noOne, ...merge, body: {} }, absent],
      [{ method: "DELETE", path: noOne }, absent],
      [{ method: "PUT", path, body: stale }, modified],
      [
        {
          method: "PATCH",
          path,
          ...merge,
          body: { metadata: { resourceVersion: "1" }, spec: { leaseDurationSeconds: 9 } },
        },
        modified,
      ],
      [
        { method: "PUT", path, body: lease("other") },
        "400 BadRequest: the name of the object (other) does not match the name on the URL (taken)",
      ],
      [
        { method: "DELETE", path, body: { preconditions: { uid: "another" } } },
        /^409 Conflict: Operation cannot be fulfilled on .*"taken": the UID in the precondition \(another\) does not match the UID in record/,
      ],
      [
        { method: "DELETE", path, body: { preconditions: { resourceVersion: "7" } } },
        /^409 Conflict: .*the ResourceVersion in the precondition \(7\) does not match the ResourceVersion in record/,
      ],
      [{ method: "GET", path: `${folder}?labelSelector=a%3D(b` }, /^400 BadRequest: unable to parse requirement: /],
      [
        { method: "GET", path: `${folder}?fieldSelector=foo%3Dbar` },
        '400 BadRequest: "foo" is not a known field selector: only "metadata.name", "metadata.namespace"',
      ],
      [
        { method: "GET", path: `${folder}?resourceVersion=abc` },
        /^400 BadRequest: invalid resource version: resourceV/,
      ],
      [{ method: "GET", path: `${folder}?watch=1&sendInitialEvents=true` }, /^422 Invalid: ListOptions\.meta\.k8s\.io/],
      [{ method: "GET", path: "/api/v1/nosuch" }, "404 NotFound: the server could not find the requested resource"],
      [{ method: "POST", path, body: {} }, /^405 MethodNotAllowed: the server does not allow this method on the req/],
      [
        { method: "PATCH", path, contentType: "application/json", body: {} },
        "415 UnsupportedMediaType: 415: Unsupported Media Type",
      ],
      [
        { method: "PUT", path, body: { ...lease("taken"), metadata: { name: "taken", uid: "another" } } },
        /^409 Conflict: .*Precondition failed: UID in precondition: another, UID in object meta: /,
      ],
      [
        { method: "POST", path: folder, body: { ...lease("x"), metadata: { name: "x", resourceVersion: "5" } } },
        "500 : resourceVersion should not be set on objects to be created",
      ],
      [
        { method: "GET", path: `${folderOf(forgotten, namespace)}?resourceVersion=1&resourceVersionMatch=Exact` },
        "410 Expired: The resourceVersion for the provided list is too old.",
      ],
      [{ method: "GET", path: "/apis/no.such/v1/x" }, "404 : HTTP 404"],
    ];
    try {
      for (const [request, expected] of table) {
        const actual = await refusal(request);
        if (typeof expected === "string") assert.equal(actual, expected);
        else assert.match(actual, expected);
      }
    } finally {
      await client.request({ method: "DELETE", path });
    }
  });

  test("WatchList gives what there is and then a bookmark that says so", limits, async () => {
    await client.request({ method: "POST", path: folder, body: lease("first") });
    const query = "watch=1&timeoutSeconds=5&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    const seen: string[] = [];
    for await (const { type, object } of client.watch(`${folder}?${query}&allowWatchBookmarks=true`)) {
      seen.push(type);
      if (at(object, "metadata", "annotations", "k8s.io/initial-events-end") === "true") break;
    }
    assert.deepEqual(seen, ["ADDED", "BOOKMARK"]);
    await client.request({ method: "DELETE", path: leasePath(namespace, "first") });
  });
}
