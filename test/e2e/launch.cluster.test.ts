/**
 * The installed package, started in the three ways there are, against the real cluster: who runs as whom, and that the
 * services answer all the same. Uids and capabilities of every process are printed.
 */
import assert from "node:assert/strict";
import { chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { type ThrowawayUser, throwawayUser } from "../support/throwaway-user.ts";
import { curlByName, runProgram } from "./by-name.ts";
import { type Installed, installPackage } from "./installed.ts";
import { type LocalizerRun, startLocalizer } from "./localizer-run.ts";
import { descendants, type ProcessStatus, processStatus } from "./processes.ts";
import { accountObjects, accountToken, FilePlugin, writeUserKubeconfig } from "./service-account.ts";
import { usersKubeconfig } from "./users-kubeconfig.ts";

const namespace = "e2e-launch";
const url = `http://app.${namespace}.svc.cluster.local/`;

describe("the installed localizer", () => {
  let cluster: Cluster;
  let installed: Installed;
  let user: ThrowawayUser;
  let kubeconfig: string;

  before(async () => {
    cluster = await startCluster();
    installed = installPackage();
    user = throwawayUser(installed.folder, { sudoers: ["USER ALL=(root) NOPASSWD: ALL"] });
    await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } }]);
    await cluster.apply(testApp({ name: "app", namespace, ports: [{ name: "http", port: 80, targetPort: "http" }] }));
    await cluster.waitForReadyPods(namespace, "app=app", 1);
    await cluster.waitForEndpoints(namespace, "app", 1);
    kubeconfig = await usersKubeconfig(cluster, user);
  });

  after(async () => {
    await cluster?.kubectl(["delete", "namespace", namespace, "--wait=false"]);
    user?.[Symbol.dispose]();
    installed?.[Symbol.dispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** The words that run a program as the throw-away user, with his groups and a small environment of his own. */
  const asUser = (...words: readonly string[]) => [
    "setpriv",
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    "--init-groups",
    "env",
    "-i",
    `HOME=${user.home}`,
    `USER=${user.name}`,
    `PATH=${installed.path}`,
    ...words,
  ];

  test("started by a user: it asks sudo for the helper alone", async (t) => {
    const words = asUser(installed.localizer);
    await using run = await startLocalizer({ kubeconfig, command: words });
    const processes = await served(t, run);
    const [userPart] = processes;
    assert.ok(userPart !== undefined);
    demandUnprivileged(userPart);
    const roots = processes.filter(isRoot).filter(({ command }) => !command.startsWith("sudo "));
    assert.equal(roots.length, 1, "the helper and nothing else");
    assert.match(roots[0]?.command ?? "", /helper\/main\.js/);
  });

  test("started as `sudo localizer`: the user's part is the caller, with his groups", async (t) => {
    const words = asUser("sudo", installed.node, installed.localizer);
    await using run = await startLocalizer({ kubeconfig, command: words, client: asUser(installed.localizer) });
    const processes = await served(t, run);
    const node = processes.filter(({ command }) => command.startsWith(installed.node));
    assert.deepEqual(node.map(isRoot), [true, false], "a root parent and a user's part");
    const [, userPart] = node;
    assert.ok(userPart !== undefined);
    demandUnprivileged(userPart);
    assert.equal((await run.cli("down")).code, 0);
    assert.equal(await run.exited, 0);
  });

  test("the user's environment reaches a credential plug-in, which runs as the user", async () => {
    const folder = join(user.home, "plugin");
    mkdirSync(folder);
    const plugin = new FilePlugin(folder);
    const account = { namespace, name: "plugged", role: "edit" } as const;
    await cluster.apply(accountObjects(account));
    plugin.give(await accountToken(cluster, account));
    const path = writeUserKubeconfig(cluster, folder, { name: "plugged", user: plugin.user, namespace });
    chownSync(path, user.uid, user.gid);
    const command = asUser("LOCALIZER_TEST_PROBE=his", installed.localizer);
    await using run = await startLocalizer({ kubeconfig: path, command });
    assert.match(await curlByName(run.place.hostsFile, url), /^hello from app/);
    assert.deepEqual(plugin.runs, [`uid=${user.uid} probe=his`]);
  });

  test("another user cannot connect to the socket", async () => {
    await using run = await startLocalizer({ kubeconfig, command: asUser(installed.localizer) });
    const other = ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups", installed.node, installed.localizer];
    const [program = "", ...words] = [...other, "ping", `--socket=${run.place.socket}`];
    const { code, stderr } = await runProgram(program, words);
    assert.equal(code, 5, stderr);
  });

  test("started by root itself: it says that it works as root, and serves", async (t) => {
    const { SUDO_UID: _uid, SUDO_GID: _gid, ...env } = process.env;
    const command = [installed.node, installed.localizer];
    await using run = await startLocalizer({ kubeconfig: cluster.kubeconfig, command, env });
    const processes = await served(t, run);
    assert.ok(processes.every(isRoot));
    assert.match(run.output(), /Working as root/);
  });

  /** Asks for the service by name, prints every process of the run and returns them, the first one first. */
  async function served(t: TestContext, run: LocalizerRun): Promise<readonly ProcessStatus[]> {
    assert.match(await curlByName(run.place.hostsFile, url), /^hello from app/);
    assert.equal((await run.cli("list")).code, 0);
    const { pid } = run.child;
    assert.ok(pid !== undefined);
    const processes = [pid, ...descendants(pid)].map(processStatus);
    for (const { uids, groups, capabilities, command, pid: each } of processes) {
      const { effective, permitted, ambient } = capabilities;
      const masks = [effective, permitted, ambient].map((mask) => mask.toString(16)).join("/");
      const name = command.replaceAll(installed.folder, "").slice(0, 90);
      t.diagnostic(`pid ${each} uid ${uids.join(",")} groups ${groups.join(",")} caps (eff/prm/amb) ${masks}: ${name}`);
    }
    return processes;
  }

  function demandUnprivileged({ uids, gids, groups, capabilities }: ProcessStatus): void {
    assert.deepEqual(new Set(uids), new Set([user.uid]));
    assert.deepEqual(new Set(gids), new Set([user.gid]));
    assert.ok(groups.includes(user.extraGid), "his supplementary groups");
    assert.deepEqual(capabilities, { effective: 0n, permitted: 0n, ambient: 0n });
  }
});

function isRoot({ uids }: ProcessStatus): boolean {
  return uids.includes(0);
}
