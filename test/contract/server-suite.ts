/** What expose needs of an API server beside plain objects: scale, dry runs, guards, discovery, access reviews, slow deletion. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiRequest } from "../../src/kube/api-client.ts";
import { at, listAt, numberAt, textAt } from "../../src/kube/json.ts";
import { headOf, objectPath } from "../../src/kube/objects.ts";
import { type ApiTarget, leasePath, refusalOf, versionOf } from "./api-target.ts";

const limits = { timeout: 60_000 };
const merge = { contentType: "application/merge-patch+json" } as const;

/** Registers the cases, each as a test. The target must live as long as they run. */
export function serverSuite({ client, namespaces: [namespace] }: Pick<ApiTarget, "client" | "namespaces">): void {
  const deployments = { group: "apps", version: "v1", plural: "deployments" };
  const folder = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const send = (method: ApiRequest["method"], path: string, body?: object) =>
    client.request({ method, path, ...(method === "PATCH" ? merge : {}), body });
  const refusal = (method: ApiRequest["method"], path: string, body?: object) =>
    refusalOf(client, { method, path, ...(method === "PATCH" ? merge : {}), body });
  const containers = [{ name: "app", image: "localhost/none:1", imagePullPolicy: "Never" }];
  const labels = { app: "scaled" };
  const workload = (name: string, replicas: number) => ({
    metadata: { name },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  });

  test("scale shows the object's head, and takes PUT and merge patches", limits, async () => {
    const made = await send("POST", folder, workload("scaled", 0));
    const path = `${objectPath({ ...deployments, namespace, name: "scaled" })}/scale`;
    // Controllers write its status meanwhile.
    let whole: unknown = made;
    let scale: unknown;
    while (versionOf(scale) !== versionOf(whole)) {
      [scale, whole] = [await client.getJson(path), await client.getJson(path.slice(0, -"/scale".length))];
    }
    assert.deepEqual([textAt(scale, "kind"), textAt(scale, "apiVersion")], ["Scale", "autoscaling/v1"]);
    assert.deepEqual(headOf(scale), { ...headOf(whole), uid: headOf(made).uid });
    assert.equal(textAt(scale, "status", "selector"), "app=scaled");
    // Go's omitempty: none is not said.
    assert.deepEqual(at(scale, "spec"), {});

    const body = { metadata: { name: "scaled", namespace }, spec: { replicas: 0 } };
    assert.deepEqual(at(await send("PUT", path, body), "spec"), {});
    const tried = await send("PATCH", `${path}?dryRun=All`, { spec: { replicas: 3 } });
    assert.equal(numberAt(tried, "spec", "replicas"), 3);
    assert.deepEqual(at(await client.getJson(path), "spec"), {});

    const modified = `409 Conflict: Operation cannot be fulfilled on deployments.apps "scaled": the object has been modified; please apply your changes to the latest version and try again`;
    const stale = { ...body, metadata: { name: "scaled", resourceVersion: "1" } };
    assert.equal(await refusal("PUT", path, stale), modified);
    assert.equal(await refusal("PATCH", path, stale), modified);
    const strange = { ...body, metadata: { name: "scaled", uid: "another" } };
    assert.match(
      await refusal("PUT", path, strange),
      /^409 Conflict: Operation cannot be fulfilled on deployments\.apps "scaled": StorageError: invalid object, Code: 4, Key: \/registry\/.*\/scaled, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: another, UID in object meta: /,
    );
    assert.match(
      await refusal("PATCH", path, strange),
      /^409 Conflict: .*on deployments\/scale\.apps "scaled": Precondition failed: UID in precondition: another, UID/,
    );
    const negative = "must be greater than or equal to 0";
    assert.equal(
      await refusal("PUT", path, { ...body, spec: { replicas: -1 } }),
      `422 Invalid: Scale.autoscaling "scaled" is invalid: spec.replicas: Invalid value: -1: ${negative}`,
    );
    assert.equal(
      await refusal("PUT", path, { ...body, kind: "Deployment", apiVersion: "apps/v1" }),
      '400 BadRequest: Deployment in version "v1" cannot be handled as a Scale: converting (v1.Deployment) to (autoscaling.Scale): unknown conversion',
    );
    assert.equal(
      await refusal("PUT", path, { ...body, metadata: { name: "x" } }),
      "400 BadRequest: the name of the object (x) does not match the name on the URL (scaled)",
    );
    assert.match(await refusal("POST", path, {}), /^405 MethodNotAllowed/);
    assert.equal(await refusal("GET", `${folder}/none/scale`), '404 NotFound: deployments.apps "none" not found');
    assert.match(
      await refusal("GET", `/api/v1/namespaces/${namespace}/pods/x/scale`),
      /^404 NotFound: the server could/,
    );
    await send("DELETE", `${folder}/scaled`);
  });

  test("a patch with a uid or a version that is not the object's changes nothing", limits, async () => {
    await send("POST", folder, workload("guarded", 0));
    const path = `${folder}/guarded`;
    assert.equal(
      await refusal("PATCH", path, { metadata: { uid: "another" }, spec: { replicas: 2 } }),
      '422 Invalid: Deployment.apps "guarded" is invalid: metadata.uid: Invalid value: "another": field is immutable',
    );
    assert.match(
      await refusal("PATCH", path, { metadata: { uid: "another", resourceVersion: "1" }, spec: { replicas: 2 } }),
      /^409 Conflict: Operation cannot be fulfilled on deployments\.apps "guarded": the object has been modified; /,
    );
    assert.equal(
      await refusal("PATCH", path, { spec: { replicas: -1 } }),
      '422 Invalid: Deployment.apps "guarded" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0',
    );
    assert.equal(
      await refusal("POST", folder, {
        ...workload("x", 0),
        spec: { ...workload("x", 0).spec, selector: { matchLabels: { a: "b" } } },
      }),
      '422 Invalid: Deployment.apps "x" is invalid: spec.template.metadata.labels: Invalid value: {"app":"scaled"}: `selector` does not match template `labels`',
    );
    const before = await client.getJson(path);
    const body = { metadata: { annotations: { "localizer.dev/session": "s1" } }, spec: { replicas: 4 } };
    const tried = await send("PATCH", `${path}?dryRun=All`, body);
    assert.equal(textAt(tried, "metadata", "annotations", "localizer.dev/session"), "s1");
    const after = await client.getJson(path);
    assert.equal(numberAt(after, "spec", "replicas"), 0);
    assert.equal(at(after, "metadata", "annotations", "localizer.dev/session"), undefined);
    assert.deepEqual(at(after, "metadata", "generation"), at(before, "metadata", "generation"));
    await send("DELETE", path);
  });

  test("generation counts what is wanted, and managedFields tell who wanted it", limits, async () => {
    await send("POST", folder, workload("counted", 0));
    const path = `${folder}/counted`;
    const managers = (object: unknown, field: string) =>
      listAt(object, "metadata", "managedFields")
        .filter((entry) => at(entry, "fieldsV1", "f:spec", field) !== undefined)
        .map((entry) => textAt(entry, "manager"));
    const scaled = await send("PATCH", `${path}?fieldManager=somebody`, { spec: { minReadySeconds: 1 } });
    assert.equal(numberAt(scaled, "metadata", "generation"), 2);
    assert.deepEqual(managers(scaled, "f:minReadySeconds"), ["somebody"]);
    assert.deepEqual(managers(scaled, "f:replicas"), ["localizer"]);
    const again = await send("PATCH", `${path}?fieldManager=another`, { spec: { minReadySeconds: 2 } });
    assert.deepEqual(managers(again, "f:minReadySeconds"), ["another"]);
    const annotated = await send("PATCH", path, { metadata: { annotations: { a: "b" } } });
    assert.equal(numberAt(annotated, "metadata", "generation"), 4);
    assert.equal(
      numberAt(await send("PATCH", path, { metadata: { labels: { a: "b" } } }), "metadata", "generation"),
      4,
    );
    await send("DELETE", path);
  });

  test("an object with finalizers goes when they are gone", limits, async () => {
    const lease = leasePath(namespace, "kept");
    await send("POST", leasePath(namespace), { metadata: { name: "kept", finalizers: ["example.com/x"] } });
    const going = await send("DELETE", lease);
    assert.match(textAt(going, "metadata", "deletionTimestamp") ?? "", /^\d{4}-.*Z$/);
    assert.equal(numberAt(going, "metadata", "deletionGracePeriodSeconds"), 0);
    assert.equal(versionOf(await send("DELETE", lease)), versionOf(going));
    await send("PATCH", lease, { metadata: { finalizers: null } });
    assert.match(await refusal("GET", lease), /^404 NotFound/);
  });

  test("labels and owners are looked at", limits, async () => {
    const create = (metadata: object) =>
      refusal("POST", leasePath(namespace), { metadata: { name: "bad", ...metadata } });
    const bad = '422 Invalid: Lease.coordination.k8s.io "bad" is invalid: ';
    const long = "a".repeat(64);
    assert.equal(
      await create({ labels: { a: long } }),
      `${bad}metadata.labels: Invalid value: "${long}": must be no more than 63 characters`,
    );
    assert.ok(
      (await create({ labels: { a: "b c" } })).startsWith(
        `${bad}metadata.labels: Invalid value: "b c": a valid label must be`,
      ),
    );
    const owner = { apiVersion: "v1", kind: "Pod", name: "x", uid: "1", controller: true };
    assert.equal(
      await create({ ownerReferences: [{ ...owner, uid: "" }] }),
      `${bad}metadata.ownerReferences.uid: Invalid value: "": must not be empty`,
    );
    assert.match(
      await create({ ownerReferences: [owner, { ...owner, name: "y", uid: "2" }] }),
      /: Only one reference can have Controller set to true\. Found "true" in references for Pod\/x and Pod\/y$/,
    );
  });

  test("discovery names groups, kinds and their subresources", limits, async () => {
    assert.deepEqual(listAt(await client.getJson("/api"), "versions"), ["v1"]);
    const groups = listAt(await client.getJson("/apis"), "groups");
    const apps = groups.find((group) => textAt(group, "name") === "apps");
    assert.deepEqual(at(apps, "preferredVersion"), { groupVersion: "apps/v1", version: "v1" });
    assert.deepEqual(at(await client.getJson("/apis/apps"), "versions"), at(apps, "versions"));
    const resources = async (path: string) => {
      const list = await client.getJson(path);
      assert.equal(textAt(list, "kind"), "APIResourceList");
      return new Map(listAt(list, "resources").map((one) => [textAt(one, "name"), one]));
    };
    const ofApps = await resources("/apis/apps/v1");
    for (const name of ["deployments", "replicasets", "statefulsets"]) {
      const { storageVersionHash: _hash, ...scale } = Object(ofApps.get(`${name}/scale`));
      assert.deepEqual(scale, {
        name: `${name}/scale`,
        singularName: "",
        namespaced: true,
        group: "autoscaling",
        version: "v1",
        kind: "Scale",
        verbs: ["get", "patch", "update"],
      });
    }
    assert.equal(textAt(ofApps.get("deployments"), "kind"), "Deployment");
    assert.equal(textAt(ofApps.get("deployments"), "singularName"), "deployment");
    assert.ok(ofApps.has("daemonsets") && !ofApps.has("daemonsets/scale"));
    const core = await resources("/api/v1");
    assert.deepEqual(at(core.get("pods/portforward"), "verbs"), ["create", "get"]);
    assert.ok(core.has("replicationcontrollers/scale"));
    assert.match(
      await refusal("GET", "/apis/apps/v9"),
      /^404 NotFound: the server could not find the requested resource/,
    );
    assert.equal(await refusal("GET", "/apis/no.such"), "404 : HTTP 404");
  });

  test("an access review says what one may", limits, async () => {
    const reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    const resourceAttributes = { verb: "create", resource: "pods", subresource: "portforward", namespace };
    const said = await send("POST", reviews, { spec: { resourceAttributes } });
    assert.equal(at(said, "status", "allowed"), true);
    assert.deepEqual(at(said, "spec", "resourceAttributes"), resourceAttributes);
    assert.match(
      await refusal("POST", reviews, { spec: {} }),
      /^422 Invalid: .*spec\.resourceAttributes: Invalid value: .*: exactly one of nonResourceAttributes or resourceAttr/,
    );
  });
}
