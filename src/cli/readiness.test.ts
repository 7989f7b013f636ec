import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cart, ledger, someCluster } from "../../test/rpc/fake-daemon.ts";
import type { ListedService, ServiceList } from "../rpc/listed.ts";
import { missingServices } from "./readiness.ts";

const cluster = someCluster.cluster();
const of = (...services: readonly ListedService[]): ServiceList => ({
  cluster,
  notices: [],
  services,
  leftOut: [],
  selector: "",
  exposures: [],
});
const target = { namespace: "shop", name: "cart" };

const settled = { isStable: true, mayPass: false };
const atWork = { isStable: false, mayPass: true };

describe("missingServices()", () => {
  it("finds nothing missing when each is running, or listening with a pod", () => {
    const listening = { ...cart, status: "listening" };
    for (const service of [cart, listening, { ...listening, endpoint: "" }]) {
      assert.deepEqual(missingServices([target], of(service), atWork), []);
    }
  });

  it("says of each what it is and why", () => {
    const silent = { ...cart, status: "listening", endpoint: "", portRows: [] };
    assert.deepEqual(missingServices([target], of(silent), settled), ["shop/cart is listening (it has no pod)"]);
    assert.deepEqual(missingServices([target], of({ ...cart, status: "refusing" }), settled), [
      "shop/cart is refusing",
    ]);
  });

  it("takes one that is absent for late while the daemon is at work, and for wrong afterwards", () => {
    assert.deepEqual(missingServices([target], of(ledger), atWork), ["shop/cart is not there yet"]);
    assert.throws(() => missingServices([target], of(ledger), settled), {
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
      assert.throws(() => missingServices([{ namespace, name }], of(ledger, cart), settled), {
        message: `There is no Service "${namespace}/${name}"; did you mean "shop/cart"?`,
      });
    }
  });

  it("says so when the namespace is not followed", () => {
    const restricted = { ...of(ledger), cluster: { ...cluster, namespaces: ["bank", "bar"] } };
    assert.throws(() => missingServices([target], restricted, settled), {
      code: "not-found",
      message: 'Service "shop/cart" is not followed: the daemon follows bank, bar only',
    });
  });

  it("gives up on one that never gets a tunnel", () => {
    const skipped = { ...cart, status: "skipped", statusReason: "it has no selector, so no pods" };
    assert.deepEqual(missingServices([target], of(skipped), atWork).length, 1);
    assert.throws(() => missingServices([target], of(skipped), settled), {
      code: "not-found",
      message: 'Service "shop/cart" has no tunnel: it has no selector, so no pods',
    });
  });

  it("gives up at once where a right is missing, and on a conflict that lasts", () => {
    const ledgerOf = { namespace: "bank", name: "ledger" };
    assert.throws(() => missingServices([ledgerOf], of(ledger), atWork), {
      code: "denied",
      message: `Service "bank/ledger" is denied: ${ledger.statusReason}`,
    });
    const taken = { ...cart, status: "conflict", statusReason: "80: taken" };
    assert.deepEqual(missingServices([target], of(taken), { ...settled, mayPass: true }), [
      "shop/cart is conflict (80: taken)",
    ]);
    assert.throws(() => missingServices([target], of(taken), settled), {
      code: "conflict",
      message: 'Service "shop/cart" is in conflict: 80: taken',
    });
  });

  it("waits for the names, too", () => {
    assert.deepEqual(missingServices([target], of({ ...cart, namesPending: true }), settled), [
      "shop/cart is running, but its names are not in the hosts file",
    ]);
  });

  it("says what leaves a Service out, also while the daemon is at work", () => {
    const leftOut = [{ namespace: "shop", name: "", status: "skipped", reason: "--skip-namespace shop leaves it out" }];
    assert.throws(() => missingServices([target], { ...of(), leftOut }, atWork), {
      code: "not-found",
      message: 'Service "shop/cart" is left out: --skip-namespace shop leaves it out',
    });
    assert.throws(() => missingServices([target], { ...of(), selector: "app=x" }, settled), {
      code: "not-found",
      message: 'There is no Service "shop/cart" with the labels "app=x" that --selector wants',
    });
  });
});
