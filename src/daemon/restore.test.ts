import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceKey } from "../model/service-key.ts";
import { scopeIn } from "./restore.ts";

test("scopeIn() means the context's namespace where none is named", () => {
  assert.deepEqual(scopeIn("shop", "context"), { namespaces: ["shop"] });
  assert.deepEqual(scopeIn("shop", { service: "cart" }), { namespaces: ["shop"], key: serviceKey("shop", "cart") });
});

test("scopeIn() leaves what is named as it is", () => {
  const named = { namespaces: ["bank"], key: serviceKey("bank", "cart") };
  assert.deepEqual(scopeIn("shop", named), named);
  assert.deepEqual(scopeIn("shop", {}), {});
});
