/** Every kind of Service on a real cluster, by each of its names, with curl and with a raw TCP client. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { curlByName } from "./by-name.ts";
import { connectError, echo } from "./echo.ts";
import { kindsObjects } from "./kinds-objects.ts";
import { type ListedRow, listRows } from "./list-rows.ts";
import { type LocalizerRun, startLocalizer } from "./localizer-run.ts";

const namespace = `e2e-kinds-${randomBytes(3).toString("hex")}`;
const suffixes = ["", ".svc", ".svc.cluster.local"];

describe("every kind of Service", () => {
  let cluster: Cluster;
  let localizer: LocalizerRun;
  let rows: ReadonlyMap<string, ListedRow>;

  before(async () => {
    cluster = await startCluster();
    await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
    await cluster.apply(kindsObjects(namespace));
    await cluster.waitForReadyPods(namespace, "app=shop", 2);
    await cluster.waitForReadyPods(namespace, "app=db", 2);
    for (const name of ["shop", "node-port", "load-balancer", "sticky", "mixed", "db"]) {
      await cluster.waitForEndpoints(namespace, name, 2);
    }
    // The pod that never gets ready is there, too.
    await cluster.kubectl([
      "wait",
      "pod",
      "-n",
      namespace,
      "-l",
      "app=unready",
      "--for=jsonpath={.status.phase}=Running",
      "--timeout=240s",
    ]);
    localizer = await startLocalizer({ kubeconfig: cluster.kubeconfig, flags: ["--short-names", namespace] });
    rows = await waitFor(
      "port-forwarding to be known to work",
      async () => {
        const all = await listRows(localizer, namespace);
        return all.get("shop")?.status === "running" && all;
      },
      { timeoutMs: 15_000 },
    );
  });

  after(async () => {
    await localizer?.[Symbol.asyncDispose]();
    await cluster?.kubectl(["delete", "namespace", namespace, "--wait=false"]);
    await cluster?.[Symbol.asyncDispose]();
  });

  function row(name: string): ListedRow {
    const found = rows.get(name);
    assert.ok(found !== undefined, `${name} is not in the list: ${[...rows.keys()]}`);
    return found;
  }

  const http = [
    ["shop", 80, "shop"],
    ["shop", 443, "shop"],
    ["node-port", 8080, "shop"],
    ["load-balancer", 8080, "shop"],
    ["sticky", 80, "shop"],
    ["early", 80, "unready"],
    ["db", 5432, "db"],
    ["db", 7003, "db"],
    ["db-0.db", 5432, "db"],
    ["db-1.db", 7003, "db"],
  ] as const;
  for (const [name, port, app] of http) {
    test(`${name} answers curl on port ${port} under each of its names`, async () => {
      for (const suffix of suffixes) {
        const url = `http://${name}.${namespace}${suffix}:${port}/`;
        assert.match(await curlByName(localizer.place.hostsFile, url), new RegExp(`^hello from ${app} on ${app}-`));
      }
    });
  }

  test("a service of the namespace of --short-names answers under its bare name", async () => {
    assert.match(await curlByName(localizer.place.hostsFile, "http://node-port:8080/"), /^hello from shop/);
  });

  for (const name of ["shop", "mixed"]) {
    test(`${name} answers a raw TCP client on its echo port`, async () => {
      const bytes = randomBytes(200_000);
      assert.ok((await echo(localizer.addressOf(`${name}.${namespace}.svc`), 7000, bytes)).equals(bytes));
    });
  }

  test("each pod of a StatefulSet answers under its own name, on its own address, and no other pod does", async () => {
    const addresses = new Set([localizer.addressOf(`db.${namespace}.svc`)]);
    for (const pod of ["db-0", "db-1"]) {
      addresses.add(localizer.addressOf(`${pod}.db.${namespace}.svc.cluster.local`));
      for (let i = 0; i < 3; i++) {
        const text = await curlByName(localizer.place.hostsFile, `http://${pod}.db.${namespace}.svc:5432/`);
        assert.match(text, new RegExp(`^hello from db on ${pod}:`));
      }
    }
    assert.equal(addresses.size, 3);
    assert.deepEqual(
      row("db").pods.map(({ hostname }) => hostname),
      ["db-0", "db-1"],
    );
  });

  test("sessionAffinity ClientIP leads this machine to the same pod each time", async () => {
    const answers = new Set<string>();
    for (let i = 0; i < 6; i++) {
      answers.add((await curlByName(localizer.place.hostsFile, `http://sticky.${namespace}/`)).replace(/:.*/s, ""));
    }
    assert.equal(answers.size, 1);
  });

  const skipped = [
    ["only-udp", /UDP/],
    ["elsewhere", /db\.example\.com/],
    ["by-hand", /no selector/],
  ] as const;
  for (const [name, reason] of skipped) {
    test(`${name} is listed with the reason why it has no tunnel, and has no name`, () => {
      assert.equal(row(name).status, "skipped");
      assert.match(row(name).statusReason, reason);
      assert.doesNotMatch(localizer.hosts(), new RegExp(`\\b${name}\\.${namespace}`));
    });
  }

  test("the UDP port of a mixed service is named as not forwarded", () => {
    assert.match(row("mixed").statusReason, /7000\/UDP/);
  });

  test("the control plane's own service and kube-system are left out", async () => {
    assert.equal((await listRows(localizer, "default")).has("kubernetes"), false);
    assert.equal((await listRows(localizer, "kube-system")).size, 0);
  });

  for (const name of ["nobody", "unready"]) {
    test(`${name} has no ready pod: after 5 s it refuses connections, and keeps its name`, async () => {
      const address = localizer.addressOf(`${name}.${namespace}.svc`);
      await waitFor(
        "the state refusing",
        async () => (await listRows(localizer, namespace)).get(name)?.status === "refusing",
        { timeoutMs: 20_000, isExact: true },
      );
      const started = performance.now();
      assert.equal(await connectError(address, 80), "ECONNREFUSED");
      assert.ok(performance.now() - started < 1_000, "at once");
      assert.equal(localizer.addressOf(`${name}.${namespace}.svc`), address);
    });
  }

  test("a target port that no pod has is named, though pods are ready", async () => {
    await waitFor(
      "the reason",
      async () => {
        const row = (await listRows(localizer, namespace)).get("mistyped");
        return row?.statusReason.includes('no ready pod has the port "nosuch"');
      },
      { timeoutMs: 10_000 },
    );
  });

  test("skipped services show their ports in the table", async () => {
    const { stdout } = await localizer.cli("list", "--namespace", namespace);
    assert.match(stdout, /only-udp +Skipped .* 7000\/UDP$/m);
  });

  test("a service that refused answers on the same address as soon as its first pod is ready", async () => {
    const address = localizer.addressOf(`nobody.${namespace}.svc`);
    await cluster.kubectl(["label", "pods", "-n", namespace, "-l", "app=db", "extra=1"]);
    await cluster.kubectl([
      "patch",
      "service",
      "nobody",
      "-n",
      namespace,
      "-p",
      JSON.stringify({ spec: { selector: { app: null, extra: "1" } } }),
    ]);
    const text = await waitFor(
      "an answer",
      () => curlByName(localizer.place.hostsFile, `http://nobody.${namespace}/`),
      { timeoutMs: 10_000 },
    );
    assert.match(text, /^hello from db on db-/);
    assert.equal(localizer.addressOf(`nobody.${namespace}.svc`), address);
  });
});
