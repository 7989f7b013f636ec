import assert from "node:assert/strict";
import { test } from "node:test";
import type { ApiRequest } from "./api-client.ts";
import { kinds, Objects } from "./objects.ts";

test("Objects.heads() asks for metadata alone, a page after the other", async () => {
  const asked: ApiRequest[] = [];
  const pages = [
    { metadata: { continue: "a/b" }, items: [1, 2] },
    { metadata: {}, items: [3] },
  ];
  const objects = new Objects({
    async request(request) {
      asked.push(request);
      return pages[asked.length - 1];
    },
  });
  assert.deepEqual(await Array.fromAsync(objects.heads(kinds.pods, { namespace: "shop" })), [1, 2, 3]);
  assert.deepEqual(
    asked.map(({ path }) => path),
    ["/api/v1/namespaces/shop/pods?limit=500", "/api/v1/namespaces/shop/pods?limit=500&continue=a%2Fb"],
  );
  for (const { accept } of asked) assert.match(accept ?? "", /^application\/json;as=PartialObjectMetadataList;/);
});
