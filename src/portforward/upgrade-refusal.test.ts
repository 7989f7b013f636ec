import assert from "node:assert/strict";
import { test } from "node:test";
import { brokenOff, refusalOf, wrongProtocol } from "./upgrade-refusal.ts";

const status = (message: string, details?: object) =>
  JSON.stringify({ kind: "Status", status: "Failure", message, details });
const forbidden = (verb: string) =>
  `pods "cart-0" is forbidden: User "joe" cannot ${verb} resource "pods/portforward" in API group "" in the namespace "shop"`;
const page = "<html><title>No</title></html>";

/** Each answer with what it means: sign and code. */
const answers: readonly (readonly [name: string, status: number, body: string, sign: string, code: string])[] = [
  ["401 of whomever", 401, page, "identity", "unauthenticated"],
  ["403 that names create", 403, status(forbidden("create"), { kind: "pods" }), "verb", "denied"],
  ["403 that names get", 403, status(forbidden("get")), "verb", "denied"],
  ["403 of an admission about the pod", 403, status('pods "cart-0" is forbidden: not now'), "target", "denied"],
  ["403 page of a gateway", 403, page, "way", "denied"],
  ["403 that quotes the words, but is no Status", 403, forbidden("create"), "way", "denied"],
  ["403 of a protocol that nobody knows", 403, "unable to upgrade: unable to negotiate protocol", "way", "denied"],
  ["404 of the pod", 404, status('pods "cart-0" not found', { name: "cart-0", kind: "pods" }), "target", "gone"],
  [
    "404 of the pod's node",
    404,
    status('nodes "n1" not found', { name: "n1", kind: "nodes" }),
    "target",
    "unavailable",
  ],
  ["404 of the path", 404, status("the server could not find the requested resource", {}), "way", "unavailable"],
  ["404 of a path that names the pod", 404, status("no route to /pods/cart-0/portforward"), "way", "unavailable"],
  ["404 about another thing", 404, status("no cart-0", { kind: "clusters" }), "way", "unavailable"],
  ["404 about pods that is no Status", 404, '{"kind":"Error","details":{"kind":"pods"}}', "way", "unavailable"],
  ["404 page of a gateway", 404, page, "way", "unavailable"],
  ["400 for a pod without a node", 400, status("pod cart-0 does not have a host assigned"), "target", "unavailable"],
  ["400 for a lost Upgrade header", 400, status("Upgrade request required"), "way", "unavailable"],
  ["400 of a kubelet that knows no tunnel", 400, 'query parameter "port" is required', "way", "unavailable"],
  ["405", 405, "", "way", "unavailable"],
  ["426", 426, page, "way", "unavailable"],
  ["200", 200, page, "way", "unavailable"],
  ["302 to a login", 302, "", "way", "unavailable"],
  ["501", 501, "", "way", "unavailable"],
  ["408", 408, "", "passing", "unavailable"],
  ["429", 429, status("too many requests"), "target", "unavailable"],
  [
    "500 of a dead node",
    500,
    status("error dialing backend: dial tcp 10.0.0.1:10250: i/o timeout"),
    "target",
    "unavailable",
  ],
  ["500 about another pod", 500, status('pods "cart-01" is odd'), "passing", "unavailable"],
  ["500 page", 500, page, "passing", "unavailable"],
  ["502", 502, page, "passing", "unavailable"],
  ["503 of an API server that starts", 503, status("apiserver not ready"), "passing", "unavailable"],
  ["504", 504, "", "passing", "unavailable"],
];
for (const [name, code, body, sign, error] of answers) {
  test(`refusalOf() takes ${name} for ${sign}`, () => {
    const refusal = refusalOf({ status: code, body }, "cart-0");
    assert.equal(refusal.sign, sign);
    assert.equal(refusal.error.code, error);
  });
}

test("refusalOf() says what the Status says, or the status and the first words", () => {
  assert.equal(refusalOf({ status: 403, body: status("No way") }, "cart-0").error.message, "No way");
  assert.equal(refusalOf({ status: 502, body: "Bad\n  gateway" }, "cart-0").error.message, "502 Bad gateway");
  assert.equal(refusalOf({ status: 405, body: "" }, "cart-0").error.message, "405");
});

test("brokenOff() may pass, wrongProtocol() does not", () => {
  assert.equal(brokenOff("socket hang up").sign, "passing");
  assert.equal(wrongProtocol("it speaks Klingon").sign, "way");
});
