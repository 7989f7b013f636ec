import assert from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice } from "../kube/endpoint-slice.ts";
import { type ServiceKey, serviceKey } from "../model/service-key.ts";
import { watchRetiredPods } from "./retired-pods.ts";

test("watchRetiredPods() tells of a pod when the last Service has lost it", () => {
  const slices = new Map<ServiceKey, EndpointSlice[]>();
  let change: (key: ServiceKey) => void = () => {};
  const cache = {
    slicesOf: (key: ServiceKey) => slices.get(key) ?? [],
    onChange(listener: (key: ServiceKey) => void) {
      change = listener;
      return { [Symbol.dispose]() {} };
    },
  };
  const retired: string[] = [];
  watchRetiredPods(cache, (uid) => retired.push(uid));
  const [cart, admin] = [serviceKey("shop", "cart"), serviceKey("shop", "admin")];
  const set = (key: ServiceKey, ...uids: string[]) => {
    const endpoints = uids.map((uid) => ({ pod: { namespace: "shop", name: uid, uid } }));
    // Only the pods are looked at.
    slices.set(key, [{ endpoints }] as unknown as EndpointSlice[]);
    change(key);
  };
  set(cart, "a", "b");
  set(admin, "a");
  set(cart, "b");
  assert.deepEqual(retired, []);
  set(admin);
  assert.deepEqual(retired, ["a"]);
  set(cart, "c");
  assert.deepEqual(retired, ["a", "b"]);
});
