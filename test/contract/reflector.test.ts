/** The contract of API servers, held by the sandbox. */
import { after } from "node:test";
import { staticCredentials } from "../../src/kube/credentials.ts";
import { startSandbox } from "../support/sandbox.ts";
import type { ApiTarget } from "./api-target.ts";
import { cacheSuite } from "./cache-suite.ts";
import { objectSuite } from "./object-suite.ts";
import { reflectorSuite } from "./reflector-suite.ts";
import { serverSuite } from "./server-suite.ts";

const things = { group: "test.localizer.dev", version: "v1", plural: "things", kind: "Thing", namespaced: true };
const namespaces = ["team-a", "team-b"] as const;
// Small enough for every list to be gzipped.
const sandbox = await startSandbox({ namespaces, resources: [things], gzipFromBytes: 1 });
after(() => sandbox[Symbol.asyncDispose]());

const target: ApiTarget = {
  client: sandbox.client(),
  namespaces,
  async limited() {
    const isViewers = (authorization: unknown) => authorization === "Bearer viewer";
    sandbox.server.faults.onRequest(
      (call) => isViewers(call?.http.headers.authorization) && call?.namespace !== namespaces[0],
      { kind: "forbidden", user: "viewer" },
      Number.POSITIVE_INFINITY,
    );
    return sandbox.client(undefined, staticCredentials({ authorization: "Bearer viewer" }));
  },
  async forgetful() {
    sandbox.server.store.compact();
    return { resource: things, kind: things.kind };
  },
};

reflectorSuite(target);
cacheSuite(target);
objectSuite(target);
serverSuite(target);
