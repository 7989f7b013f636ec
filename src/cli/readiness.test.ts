import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cart, ledger, someCluster } from "../../test/rpc/fake-daemon.ts";
import type { ListedService, ServiceList } from "../rpc/listed.ts";
import { missingServices } from "./readiness.ts";

const cluster = someCluster.cluster();
const of = (...services: readonly ListedService[]): ServiceList => ({ cluster, notices: [], services });
const target = { namespace: "shop", name: "cart" };

describe("missingServices()", () => {
  it("finds nothing missing when each is running, or listening with a pod", () => {
    const listening = { ...cart, status: "listening" };
    for (const service of [cart, listening, { ...listening, endpoint: "" }]) {
      assert.deepEqual(missingServices([target], of(service), false), []);
    }
  });

  it("says of each what it is and why", () => {
    const silent = { ...cart, status: "listening", endpoint: "", portRows: [] };
    assert.deepEqual(missingServices([target], of(silent), true), ["shop/cart is listening (it has no pod)"]);
    assert.deepEqual(missingServices([{ namespace: "bank", name: "ledger" }, target], of(ledger, cart), true), [
      `bank/ledger is denied (${ledger.statusReason})`,
    ]);
    assert.deepEqual(missingServices([target], of({ ...cart, status: "refusing" }), true), ["shop/cart is refusing"]);
  });

  it("takes one that is absent for late while the daemon is at work, and for wrong afterwards", () => {
    assert.deepEqual(missingServices([target], of(ledger), false), ["shop/cart is not there yet"]);
    assert.throws(() => missingServices([target], of(ledger), true), {
      code: "not-found",
      message: 'There is no Service "shop/cart"',
    });
  });

  it("names what was probably meant: the same name elsewhere, or one that is written much the same", () => {
    for (const [namespace, name] of [
      ["default", "cart"],
      ["shop", "crat"],
      ["shpo", "cart"],
    ] as const) {
      assert.throws(() => missingServices([{ namespace, name }], of(ledger, cart), true), {
        message: `There is no Service "${namespace}/${name}"; did you mean "shop/cart"?`,
      });
    }
  });

  it("says so when the namespace is not followed", () => {
    const restricted = { ...of(ledger), cluster: { ...cluster, namespaces: ["bank", "bar"] } };
    assert.throws(() => missingServices([target], restricted, true), {
      code: "not-found",
      message: 'There is no Service "shop/cart": the daemon follows bank, bar only',
    });
  });

  it("gives up on one that never gets a tunnel", () => {
    const skipped = { ...cart, status: "skipped", statusReason: "it has no selector, so no pods" };
    assert.deepEqual(missingServices([target], of(skipped), false).length, 1);
    assert.throws(() => missingServices([target], of(skipped), true), {
      code: "not-found",
      message: 'Service "shop/cart" has no tunnel: it has no selector, so no pods',
    });
  });
});
