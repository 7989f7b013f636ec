/** The plan for Service "cart" of a fake namespace "shop". */
import { type PreflightWish, preflight } from "../../src/expose/preflight.ts";
import { serviceKey } from "../../src/model/service-key.ts";
import type { FakeKubeOptions } from "./fake-kube.ts";
import { shopComponents } from "./shop-objects.ts";

/** What is wished for, unless a test says otherwise. */
export const cartWish: PreflightWish = {
  key: serviceKey("shop", "cart"),
  maps: [],
  allowVolumeLoss: false,
  allowPartial: false,
};

/** The preflight of that wish. Throws as `preflight`. */
export function cartPlan(options: FakeKubeOptions, changed: Partial<PreflightWish> = {}) {
  return preflight(shopComponents(options), { ...cartWish, ...changed });
}

/** Options for an object that such an owner of group apps controls. */
export function ownedBy(kind: string, name: string) {
  return { owner: { apiVersion: "apps/v1", kind, name } };
}
