/** The main job on the real cluster: services answer under their names, and come and go with the cluster. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { shopObjects, shopPods } from "../demo/shop.ts";
import { runGoClient } from "../rpc/go-client.ts";
import { curlByName } from "./by-name.ts";
import { connectError, echo } from "./echo.ts";
import { addressIn, type LocalizerRun, startLocalizer } from "./localizer-run.ts";

const rooms = { shop: "e2e-shop", bank: "e2e-bank" };
const foreign =
  "\ufeff# first\r\n127.0.0.1\tlocalhost\r\n10.9.8.7 printer  # the one upstairs\r\n# another tool: begin\r\n";

describe("localizer on a real cluster", () => {
  let cluster: Cluster;
  let localizer: LocalizerRun;

  before(async () => {
    cluster = await startCluster();
    await cluster.apply(shopObjects(rooms));
    for (const { room, selector, count } of shopPods) await cluster.waitForReadyPods(rooms[room], selector, count);
    await cluster.waitForEndpoints(rooms.shop, "cart", 2);
    await cluster.waitForEndpoints(rooms.bank, "accounts", 2);
    localizer = await startLocalizer({ kubeconfig: cluster.kubeconfig, hosts: foreign });
  });

  after(async () => {
    await localizer?.[Symbol.asyncDispose]();
    for (const name of Object.values(rooms)) await cluster?.kubectl(["delete", "namespace", name, "--wait=false"]);
    await cluster?.[Symbol.asyncDispose]();
  });

  const cases = [
    ["cart", rooms.shop, 80],
    ["web", rooms.shop, 80],
    ["web", rooms.shop, 443],
    ["accounts", rooms.bank, 80],
    ["ledger", rooms.bank, 7003],
  ] as const;
  for (const [service, namespace, port] of cases) {
    test(`${service} on port ${port} answers curl under each of its names`, async () => {
      const owner = service === "accounts" ? "ledger" : service;
      for (const suffix of ["", ".svc", ".svc.cluster.local"]) {
        const url = `http://${service}.${namespace}${suffix}:${port}/`;
        assert.match(await curlByName(localizer.place.hostsFile, url), new RegExp(`^hello from ${owner} on ${owner}-`));
      }
    });
  }

  test("services have addresses of their own, though they listen on the same port", () => {
    const names = [`cart.${rooms.shop}`, `web.${rooms.shop}`, `accounts.${rooms.bank}`];
    assert.equal(new Set(names.map((name) => localizer.addressOf(name))).size, names.length);
  });

  test("connections go to both pods of a Deployment in turn", async () => {
    const url = `http://cart.${rooms.shop}/`;
    const answers = new Set<string>();
    for (let i = 0; i < 4; i++) {
      answers.add((await curlByName(localizer.place.hostsFile, url)).replace(/:.*/s, ""));
    }
    assert.equal(answers.size, 2);
  });

  test("10 MiB through an echo come back the same", async () => {
    const bytes = randomBytes(10 * 1024 * 1024);
    const back = await echo(localizer.addressOf(`cart.${rooms.shop}`), 7000, bytes);
    assert.ok(back.equals(bytes), `${back.length} bytes came back, or others`);
  });

  test("a port that nobody listens on in the pod resets its caller, and nobody else", async () => {
    const address = localizer.addressOf(`cart.${rooms.shop}`);
    const bystander = echo(address, 7000, randomBytes(1024 * 1024));
    assert.equal(await connectError(address, 7999), "ECONNRESET");
    assert.equal((await bystander).length, 1024 * 1024);
    const { stdout } = await localizer.cli("list", "-o", "wide");
    assert.match(stdout, /last failure: Cannot forward to .*:7999: nothing listens on that port in the pod/);
  });

  test("`list` shows every service as running, with its pod, address and ports", async () => {
    const { stdout, code } = await localizer.cli("list", "-o", "json");
    assert.equal(code, 0);
    const parsed: unknown = JSON.parse(stdout);
    const rows: unknown = Array.isArray(parsed) ? parsed : Reflect.get(Object(parsed), "services");
    assert.ok(Array.isArray(rows));
    const row = rows.find((candidate) => candidate.name === "web" && candidate.namespace === rooms.shop);
    assert.equal(row.status, "running");
    assert.match(row.endpoint, /^web-/);
    assert.equal(row.ip, localizer.addressOf(`web.${rooms.shop}`));
    assert.deepEqual(row.ports, ["80/TCP", "443/TCP"]);
  });

  test("a gRPC client that is not ours calls Ping, List and Stable", async () => {
    assert.deepEqual(await runGoClient(localizer.place.socket, "Ping"), {});
    assert.deepEqual(await runGoClient(localizer.place.socket, "Stable"), { stable: true });
    const list = JSON.stringify(await runGoClient(localizer.place.socket, "List"));
    for (const name of ["cart", "web", "accounts", "ledger"]) assert.match(list, new RegExp(`"name":"${name}"`));
  });

  test("a service made while it runs answers, and one deleted is gone with its name, address and listener", async () => {
    const name = "late";
    const metadata = { name, namespace: rooms.shop };
    const spec = { selector: { app: "cart" }, ports: [{ name: "http", port: 8088, targetPort: "http" }] };
    await cluster.apply([{ apiVersion: "v1", kind: "Service", metadata, spec }]);
    const hostName = `${name}.${rooms.shop}.svc.cluster.local`;
    const address = await waitFor("the name", () => localizer.addressOf(hostName), {
      timeoutMs: 10_000,
      intervalMs: 10,
    });
    await waitFor("an answer", () => curlByName(localizer.place.hostsFile, `http://${hostName}:8088/`), {
      timeoutMs: 10_000,
    });
    await cluster.kubectl(["delete", "service", name, "-n", rooms.shop]);
    await waitFor("the name to go", () => !localizer.hosts().includes(hostName), { timeoutMs: 10_000, intervalMs: 10 });
    assert.equal(await connectError(address, 8088), "ECONNREFUSED");
    const { stdout } = await localizer.cli("list");
    assert.doesNotMatch(stdout, /\blate\b/);
  });

  test("a service whose ports change listens on the new ones only", async () => {
    const metadata = { name: "moves", namespace: rooms.shop };
    const service = (port: number) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: { selector: { app: "cart" }, ports: [{ name: "http", port, targetPort: "http" }] },
    });
    await cluster.apply([service(8101)]);
    const hostName = `moves.${rooms.shop}.svc`;
    const fetchAt = (port: number) => () => curlByName(localizer.place.hostsFile, `http://${hostName}:${port}/`);
    await waitFor("the first port", fetchAt(8101), { timeoutMs: 10_000 });
    const address = localizer.addressOf(hostName);
    await cluster.apply([service(8102)]);
    await waitFor("the second port", fetchAt(8102), { timeoutMs: 10_000 });
    assert.equal(localizer.addressOf(hostName), address);
    assert.equal(await connectError(address, 8101), "ECONNREFUSED");
    await cluster.kubectl(["delete", "service", "moves", "-n", rooms.shop]);
  });

  test("`down` ends it, and the hosts file is what it was", async () => {
    const { code } = await localizer.cli("down");
    assert.equal(code, 0);
    assert.equal(await localizer.exited, 0);
    assert.equal(localizer.hosts(), Buffer.from(foreign).toString("latin1"));
    assert.throws(() => addressIn(localizer.hosts(), `cart.${rooms.shop}`));
    assert.equal((await localizer.cli("ping")).code, 3);
  });
});
