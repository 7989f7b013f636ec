/** A kind of object that the real API server did not know before. */
import { randomBytes } from "node:crypto";
import { systemClock } from "../../src/clock.ts";
import type { ApiClient } from "../../src/kube/api-client.ts";
import { apiStatusOf } from "../../src/kube/api-status.ts";
import { at, listAt } from "../../src/kube/json.ts";
import type { ApiResource } from "../../src/kube/list-watch.ts";

/** A kind that lasts until it is disposed, with all its objects. */
export interface NewKind extends AsyncDisposable {
  readonly resource: ApiResource;
  readonly kind: string;
}

/** Makes a CustomResourceDefinition for any objects, and waits until the API server serves it and has looked what there is of it. */
export async function makeKind(client: ApiClient): Promise<NewKind> {
  const plural = `things${randomBytes(4).toString("hex")}`;
  const group = "test.localizer.dev";
  const kind = `Thing${plural}`;
  const name = `${plural}.${group}`;
  const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  const names = { plural, singular: plural, kind, listKind: `${kind}List` };
  const versions = [{ name: "v1", served: true, storage: true, schema }];
  const body = { metadata: { name }, spec: { group, scope: "Namespaced", names, versions } };
  await client.request({ method: "POST", path: definitions, body });
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => void (await client.request({ method: "DELETE", path: `${definitions}/${name}` })));
  const query = `watch=1&fieldSelector=metadata.name=${name}`;
  for await (const { object } of client.watch(`${definitions}?${query}`)) if (isEstablished(object)) break;
  while (!(await isServed(client, `/apis/${group}/v1/${plural}`))) await systemClock.sleep(20);
  const works = stack.move();
  return { resource: { group, version: "v1", plural }, kind, [Symbol.asyncDispose]: () => works.disposeAsync() };
}

/** A kind's first moments: 429, "storage is (re)initializing". */
async function isServed(client: ApiClient, path: string): Promise<boolean> {
  try {
    await client.getJson(path);
    return true;
  } catch (error) {
    if (apiStatusOf(error)?.httpStatus === 429) return false;
    throw error;
  }
}

function isEstablished(definition: unknown): boolean {
  return listAt(definition, "status", "conditions").some(
    (condition) => at(condition, "type") === "Established" && at(condition, "status") === "True",
  );
}
