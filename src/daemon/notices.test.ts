import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalizerError } from "../errors.ts";
import { type NoticeSources, noticesOf } from "./notices.ts";

const well: NoticeSources = {
  context: undefined,
  credentials: undefined,
  scope: { namespaces: undefined, because: undefined },
  watches: [
    { plural: "services", state: "watching" },
    { plural: "endpointslices", state: "syncing" },
  ],
  namespaces: [],
  exposures: [],
  hosts: undefined,
  guard: undefined,
};

test("noticesOf() says nothing when all is well", () => {
  assert.deepEqual(noticesOf(well), []);
});

test("noticesOf() names each matter once", () => {
  const away = new LocalizerError(
    "unavailable",
    "Cannot connect to the API server at 10.0.0.1:6443: it does not answer",
  );
  const watches = [
    { plural: "services", state: "retrying", lastError: away },
    { plural: "endpointslices", state: "retrying", lastError: away },
  ] as const;
  const because = new LocalizerError("denied", "Cannot list services: forbidden");
  const hosts = new LocalizerError("conflict", "another localizer holds the block");
  const scope = { namespaces: ["a", "b"], because };
  assert.deepEqual(noticesOf({ ...well, context: "Another context", watches, scope, hosts, guard: "A VPN" }), [
    "Another context",
    'Only Services of "a", "b" are followed: Cannot list services: forbidden',
    away.message,
    "The hosts file is not up to date: another localizer holds the block",
    "A VPN",
  ]);
});

test("noticesOf() leaves out what follows from a missing credential", () => {
  const credentials = new LocalizerError("unauthenticated", 'Cannot log in as "joe": needs login');
  const watches = [{ plural: "services", state: "denied", lastError: credentials }] as const;
  assert.deepEqual(noticesOf({ ...well, credentials, watches }), [credentials.message]);
});

test("noticesOf() keeps what does not follow from a missing credential", () => {
  const credentials = new LocalizerError("unauthenticated", 'Cannot log in as "joe": needs login');
  const away = new LocalizerError("unavailable", "Cannot connect to the API server");
  const watches = [
    { plural: "services", state: "retrying", lastError: away },
    { plural: "endpointslices", state: "retrying", lastError: credentials },
  ] as const;
  assert.deepEqual(noticesOf({ ...well, credentials, watches }), [credentials.message, away.message]);
});
