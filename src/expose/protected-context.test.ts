import assert from "node:assert/strict";
import { test } from "node:test";
import { isProtected } from "./protected-context.ts";

test("isProtected() finds prod and production as whole words", () => {
  for (const name of [
    "prod",
    "eu-prod-1",
    "Production",
    "gke_acme_europe_PROD",
    "arn:aws:eks:eu:1:cluster/prod",
    "a.prod.b",
  ]) {
    assert.equal(isProtected(name), true, name);
  }
});

test("isProtected() finds no word inside of others", () => {
  for (const name of ["", "dev", "product", "preprod", "prod1", "reproduction", "productions", "nonproduction"]) {
    assert.equal(isProtected(name), false, name);
  }
});

test("isProtected() looks at each of the names, and not across them", () => {
  assert.equal(isProtected("dev", "acme-prod"), true);
  assert.equal(isProtected("pr", "od"), false);
  assert.equal(isProtected(), false);
});
