import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalizerError } from "../errors.ts";
import { statusError } from "../kube/api-status.ts";
import { staticCredentials } from "../kube/credentials.ts";
import { reachCluster } from "./reach-cluster.ts";
import type { VersionClient } from "./server-version.ts";

const signal = new AbortController().signal;

function reach(error: unknown, parts: { userName?: string; failure?: LocalizerError } = {}) {
  const client: VersionClient = { getJson: () => Promise.reject(error) };
  const { userName = "joe", failure } = parts;
  const credentials = { ...staticCredentials(), failure };
  const tls = { rejectUnauthorized: true };
  const server = new URL("https://api.example");
  const named = { contextName: "dev", clusterName: "c", userName, namespace: undefined };
  return reachCluster(client, { ...named, server, tls, credentials }, signal);
}

const answer = (status: number, body?: object) => statusError("Cannot get /version", status, body);

for (const [title, error] of [
  ["403", answer(403)],
  ["404", answer(404)],
  ["503 with a Status", answer(503, { kind: "Status", reason: "ServiceUnavailable", message: "starting" })],
  ["429 with a Status", answer(429, { kind: "Status", reason: "TooManyRequests", message: "later" })],
] as const) {
  test(`reachCluster() is content with ${title}`, async () => {
    assert.equal(await reach(LocalizerError.wrap(error, "Cannot start")), "");
  });
}

for (const [title, error] of [
  ["503 of a load balancer", answer(503)],
  ["a redirect to a log-in page", answer(302)],
  ["no answer", new LocalizerError("unavailable", "Cannot connect")],
  ["no credential", new LocalizerError("unauthenticated", 'Cannot log in as "joe"')],
] as const) {
  test(`reachCluster() passes on ${title}`, () => assert.rejects(reach(error), error));
}

test("reachCluster() names the user whom the cluster does not accept, or the plug-in with it", async () => {
  const refused = answer(401, { kind: "Status", reason: "Unauthorized", message: "Unauthorized" });
  await assert.rejects(reach(refused), {
    code: "unauthenticated",
    message: 'The cluster does not accept the credentials of "joe"',
  });
  await assert.rejects(reach(refused, { userName: "" }), {
    message: 'The cluster does not accept a request without credentials: the context "dev" names no user',
  });
  const failure = new LocalizerError("unauthenticated", "The cluster does not accept … from the plug-in");
  await assert.rejects(reach(refused, { failure }), failure);
});
