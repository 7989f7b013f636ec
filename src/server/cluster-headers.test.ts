import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import fc from "fast-check";
import { openFakeDaemon, someCluster } from "../../test/rpc/fake-daemon.ts";
import { LocalizerError } from "../errors.ts";
import { LocalizerService } from "../rpc/gen/api/v1/localizer_pb.ts";
import { Health } from "../rpc/gen/grpc/health/v1/health_pb.ts";
import { UnixSession } from "../rpc/unix-session.ts";
import { headerText } from "./cluster-headers.ts";

const awkward = { ...someCluster.cluster(), context: "Büro 100%", cluster: "arn:aws:eks:eu-1:4711:cluster/dev" };

/** The headers of the last answer, or of an error's metadata, by a client of its own. */
function watchedClient(socketPath: string) {
  const session = new UnixSession(socketPath);
  let last: Headers | undefined;
  const watch: Interceptor = (next) => async (request) => {
    try {
      const response = await next(request);
      last = response.header;
      return response;
    } catch (error) {
      if (error instanceof ConnectError) last = error.metadata;
      throw error;
    }
  };
  const transport = createGrpcTransport({
    baseUrl: session.authority,
    sessionManager: session,
    interceptors: [watch],
  });
  const names = () => {
    const [context, cluster] = [last?.get("localizer-context"), last?.get("localizer-cluster")];
    last = undefined;
    return [decodeURIComponent(context ?? ""), decodeURIComponent(cluster ?? "")];
  };
  return { transport, names, [Symbol.dispose]: () => session[Symbol.dispose]() };
}

describe("clusterHeaders()", () => {
  it("says context and cluster with every answer, Kill and health among them", async () => {
    await using daemon = await openFakeDaemon({ cluster: () => awkward });
    using watched = watchedClient(daemon.socketPath);
    const client = createClient(LocalizerService, watched.transport);
    const health = createClient(Health, watched.transport);
    const calls = {
      list: () => client.list({}),
      ping: () => client.ping({}),
      stable: () => client.stable({}),
      health: () => health.check({}),
      kill: () => client.kill({}),
    };
    for (const [name, call] of Object.entries(calls)) {
      await call();
      assert.deepEqual(watched.names(), [awkward.context, awkward.cluster], name);
    }
  });

  it("says them with errors too", async () => {
    const list = () => {
      throw new LocalizerError("denied", 'No right to "list" services');
    };
    await using daemon = await openFakeDaemon({ cluster: () => awkward, list });
    using watched = watchedClient(daemon.socketPath);
    const client = createClient(LocalizerService, watched.transport);
    await assert.rejects(client.list({}), /No right/);
    assert.deepEqual(watched.names(), [awkward.context, awkward.cluster]);
    await assert.rejects(Array.fromAsync(client.exposeService({ namespace: "shop", service: "cart" })), (error) => {
      assert(error instanceof ConnectError);
      assert.match(error.message, /exposes nothing/);
      assert.equal(error.metadata.get("localizer-cluster"), awkward.cluster);
      return true;
    });
  });
});

describe("headerText()", () => {
  it("leaves the names that people give as they are", () => {
    for (const text of ["dev", "kind-kind", awkward.cluster, "gke_shop_eu_dev"]) assert.equal(headerText(text), text);
  });

  it("is ASCII without blanks, and can be read back, whatever the name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const value = headerText(text);
        assert.match(value, /^[!-~]*$/);
        assert.equal(decodeURIComponent(value), text.toWellFormed());
      }),
    );
  });
});
