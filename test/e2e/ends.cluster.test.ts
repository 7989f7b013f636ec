/** However localizer ends, the hosts file is what it was outside the block, and the next start puts the rest right. */
import assert from "node:assert/strict";
import { existsSync, lstatSync, readFileSync, readlinkSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";
import { connectError } from "./echo.ts";
import { type LocalizerPlace, type LocalizerRun, localizerPlace, startLocalizer } from "./localizer-run.ts";
import { descendants, isAlive } from "./processes.ts";
import { killWhole } from "./whole-run.ts";

const namespace = "e2e-ends";
const name = `app.${namespace}.svc`;

/** Foreign content that a careless writer would damage. */
const contents: readonly (readonly [what: string, bytes: Buffer])[] = [
  ["CRLF and a comment", Buffer.from("# mine\r\n127.0.0.1 localhost\r\n")],
  ["no final newline", Buffer.from("127.0.0.1 localhost\n10.0.0.9 nas")],
  [
    "a byte order mark and bytes that are no UTF-8",
    Buffer.from("\xef\xbb\xbf127.0.0.1 localhost\n# caf\xe9 \xff\n", "latin1"),
  ],
  [
    "another tool's block, and the original's",
    Buffer.from(
      "127.0.0.1 localhost\n# Added by Docker Desktop\n10.0.0.1 host.docker.internal\n# End of section\n" +
        '###start-hostfile\n###{"blockName":"localizer"}\n127.9.9.9 old\n###end-hostfile\n\n\n',
    ),
  ],
  ["nothing at all", Buffer.alloc(0)],
];

describe("the end of localizer", () => {
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster();
    await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
    await cluster.apply(testApp({ name: "app", namespace, ports: [{ name: "http", port: 80, targetPort: "http" }] }));
    await cluster.waitForReadyPods(namespace, "app=app", 1);
    await cluster.waitForEndpoints(namespace, "app", 1);
  });

  after(async () => {
    await cluster?.kubectl(["delete", "namespace", namespace, "--wait=false"]);
    await cluster?.[Symbol.asyncDispose]();
  });

  for (const [what, bytes] of contents) {
    test(`a hosts file with ${what} is itself again after start and SIGTERM, and after kill -9, start and SIGINT`, async () => {
      using place = localizerPlace(bytes);
      await using first = await startLocalizer({ kubeconfig: cluster.kubeconfig, place });
      await named(first);
      first.child.kill("SIGTERM");
      assert.equal(await first.exited, 0);
      nothingLeft(place, bytes);

      const killed = await startLocalizer({ kubeconfig: cluster.kubeconfig, place });
      await named(killed);
      await killWhole(killed);
      assert.match(
        killed.hosts(),
        new RegExp(name.replaceAll(".", "\\.")),
        "the block survives a kill -9 of everything",
      );

      await using second = await startLocalizer({ kubeconfig: cluster.kubeconfig, place });
      await named(second);
      assert.equal(second.hosts().split(name).length, 3, "one line with the short and the long name");
      second.child.kill("SIGINT");
      assert.equal(await second.exited, 0);
      nothingLeft(place, bytes);
    });
  }

  test("killed user's part: the helper tidies up and ends", async () => {
    using place = localizerPlace("127.0.0.1 localhost\n");
    const run = await startLocalizer({ kubeconfig: cluster.kubeconfig, place });
    const address = await named(run);
    const [userPart] = descendants(run.child.pid);
    assert.ok(userPart !== undefined);
    const socket = readlinkSync(place.socket);
    process.kill(userPart, "SIGKILL");
    assert.notEqual(await run.exited, 0);
    assert.equal(existsSync(socket), false, "the real socket is gone, too");
    nothingLeft(place, Buffer.from("127.0.0.1 localhost\n"));
    assert.equal(await connectError(address, 80), "ECONNREFUSED");
  });

  test("killed helper: the user's part closes its listeners and ends within a second, and the next start tidies up", async () => {
    using place = localizerPlace("127.0.0.1 localhost\n");
    const run = await startLocalizer({ kubeconfig: cluster.kubeconfig, place });
    const address = await named(run);
    const [userPart] = descendants(run.child.pid);
    assert.ok(userPart !== undefined && run.child.pid !== undefined);
    process.kill(run.child.pid, "SIGKILL");
    await waitFor("the user's part to end", () => !isAlive(userPart), {
      timeoutMs: 4_000,
      isExact: true,
      intervalMs: 20,
    });
    assert.equal(await connectError(address, 80), "ECONNREFUSED");
    assert.match(run.output(), /The helper ended/);
    await using next = await startLocalizer({ kubeconfig: cluster.kubeconfig, place });
    next.child.kill("SIGTERM");
    await next.exited;
    nothingLeft(place, Buffer.from("127.0.0.1 localhost\n"));
  });

  test("a second daemon on the same socket is refused, and the first goes on", async () => {
    using place = localizerPlace("127.0.0.1 localhost\n");
    await using run = await startLocalizer({ kubeconfig: cluster.kubeconfig, place });
    await named(run);
    await assert.rejects(
      startLocalizer({ kubeconfig: cluster.kubeconfig, place }),
      /ended with 7[\s\S]*another localizer/,
    );
    assert.equal((await run.cli("ping")).code, 0);
    await named(run);
  });
});

/** Waits until the service's name is written, and gives its address. */
async function named(run: LocalizerRun): Promise<string> {
  return await waitFor("the name", () => run.addressOf(name), { timeoutMs: 10_000, intervalMs: 20 });
}

function nothingLeft(place: LocalizerPlace, before: Buffer): void {
  assert.deepEqual(readFileSync(place.hostsFile), before);
  assert.equal(existsSync(place.socket), false);
  assert.equal(lstatSync(place.socket, { throwIfNoEntry: false }), undefined, "the link is gone, dangling or not");
}
