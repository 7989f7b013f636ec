import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiObject } from "./api-object.ts";
import { managedFieldsAfter } from "./managed-fields.ts";

const resource = { group: "apps", version: "v1", plural: "deployments", kind: "Deployment", namespaced: true };
const head = { name: "cart", namespace: "shop", uid: "1", resourceVersion: "1" };

function written(before: ApiObject | undefined, after: ApiObject, manager: string): ApiObject {
  const how = { resource, manager, time: "2026-01-01T00:00:00Z", subresource: undefined };
  return { ...after, metadata: { ...after.metadata, managedFields: managedFieldsAfter(before, after, how) } };
}

function fieldsOf(object: ApiObject): unknown {
  const entries: unknown = object.metadata.managedFields;
  return Array.isArray(entries) ? entries.map(({ manager, fieldsV1 }) => [manager, fieldsV1]) : entries;
}

test("managedFieldsAfter() gives a field to who changed it last, and leaves the others theirs", () => {
  const made = written(undefined, { metadata: head, spec: { replicas: 2, paused: false } }, "helm");
  const scaled = written(made, { ...made, spec: { replicas: 0, paused: false } }, "localizer");
  assert.deepEqual(fieldsOf(scaled), [
    ["helm", { "f:spec": { "f:paused": {} } }],
    ["localizer", { "f:spec": { "f:replicas": {} } }],
  ]);
});

test("managedFieldsAfter() keeps no entry without fields, and says nothing new when nothing changed", () => {
  const made = written(undefined, { metadata: head, spec: { replicas: 2 } }, "helm");
  const annotated = { ...made, metadata: { ...made.metadata, annotations: { "a.b/c": "d" } } };
  const both = written(made, { ...annotated, spec: { replicas: 0 } }, "localizer");
  const fields = { "f:metadata": { "f:annotations": { "f:a.b/c": {} } }, "f:spec": { "f:replicas": {} } };
  assert.deepEqual(fieldsOf(both), [["localizer", fields]]);
  assert.deepEqual(written(both, both, "helm"), both);
  const { annotations: _gone, ...rest } = both.metadata;
  const cleared = written(both, { ...both, metadata: rest }, "helm");
  assert.deepEqual(fieldsOf(cleared), [["localizer", { "f:spec": { "f:replicas": {} } }]]);
});
