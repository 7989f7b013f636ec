/** Users who may not do everything, and credentials that do not last. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { testApp } from "../cluster/test-app.ts";
import { waitFor } from "../cluster/wait.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { curlByName, runProgram } from "./by-name.ts";
import { listNotices, listRows } from "./list-rows.ts";
import { type LocalizerRun, localizerPlace, startLocalizer } from "./localizer-run.ts";
import { accountObjects, accountToken, FilePlugin, writeUserKubeconfig } from "./service-account.ts";

const suffix = randomBytes(3).toString("hex");
const own = `e2e-rights-${suffix}`;
const foreign = `e2e-others-${suffix}`;
const editor = { namespace: own, name: "editor", role: "edit" } as const;
const viewer = { namespace: own, name: "viewer", role: "view" } as const;
const plugged = { namespace: own, name: "plugged", role: "edit" } as const;
const ports = [{ name: "http", port: 80, targetPort: "http" }] as const;

describe("users with few rights", () => {
  const folder = temporaryFolder();
  let cluster: Cluster;

  before(async () => {
    cluster = await startCluster();
    for (const name of [own, foreign]) {
      await cluster.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name } }]);
      await cluster.apply(testApp({ name: "app", namespace: name, ports }));
    }
    await cluster.apply([editor, viewer, plugged].flatMap(accountObjects));
    for (const name of [own, foreign]) {
      await cluster.waitForReadyPods(name, "app=app", 1);
      await cluster.waitForEndpoints(name, "app", 1);
    }
  });

  after(async () => {
    for (const name of [own, foreign]) await cluster?.kubectl(["delete", "namespace", name, "--wait=false"]);
    await cluster?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  function fetch(run: LocalizerRun, namespace = own): Promise<string> {
    return curlByName(run.place.hostsFile, `http://app.${namespace}.svc/`);
  }

  test("a user with `edit` in one namespace gets the context's namespace, and is told so", async () => {
    const user = { token: await accountToken(cluster, editor) };
    const kubeconfig = writeUserKubeconfig(cluster, folder.path, { name: "editor", user, namespace: own });
    await using run = await startLocalizer({ kubeconfig });
    assert.match(await fetch(run), /^hello from app/);
    assert.equal((await listRows(run, own)).get("app")?.status, "running");
    assert.equal((await listRows(run, foreign)).size, 0);
    assert.match((await run.cli("list")).stdout, new RegExp(`\\b${own}\\b.* only`));
    assert.match(run.output(), new RegExp(`namespaces?\\b.*${own}`));
  });

  test("a user who may not list the named namespace is refused with the server's words and exit code 5", async () => {
    const user = { token: await accountToken(cluster, editor) };
    const kubeconfig = writeUserKubeconfig(cluster, folder.path, { name: "wrong", user, namespace: own });
    await assert.rejects(
      startLocalizer({ kubeconfig, flags: ["--namespace", foreign] }),
      /ended with 5[\s\S]*cannot list resource/,
    );
  });

  test("a user who may not port-forward sees the reason at every service", async () => {
    const user = { token: await accountToken(cluster, viewer) };
    const kubeconfig = writeUserKubeconfig(cluster, folder.path, { name: "viewer", user, namespace: own });
    await using run = await startLocalizer({ kubeconfig });
    const row = await waitFor(
      "the state denied",
      async () => {
        const app = (await listRows(run, own)).get("app");
        return app?.status === "denied" && app;
      },
      { timeoutMs: 15_000 },
    );
    assert.match(row.statusReason, /cannot create resource "pods\/portforward"/);
  });

  test("of two namespaces one may be forwarded to: each shows what is true of it, and wait ends at once", async () => {
    const mixed = { namespace: own, name: "mixed", role: "edit" } as const;
    const [account, binding] = accountObjects(mixed);
    // In the other namespace it may look, and no more.
    const metadata = { name: "mixed", namespace: foreign };
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" };
    await cluster.apply([account ?? {}, binding ?? {}, { ...binding, metadata, roleRef }]);
    const user = { token: await accountToken(cluster, mixed) };
    const kubeconfig = writeUserKubeconfig(cluster, folder.path, { name: "mixed", user, namespace: own });
    for (const namespaces of [`${own},${foreign}`, `${foreign},${own}`]) {
      await using run = await startLocalizer({ kubeconfig, env: { ...process.env, LOCALIZER_NAMESPACE: namespaces } });
      // The first probes are over when the start is.
      assert.match(run.summary, /^1 services of .*, 1 denied/);
      const list = async (namespace: string) => (await listRows(run, namespace)).get("app");
      assert.equal((await list(own))?.status, "running");
      const denied = await list(foreign);
      assert.deepEqual(
        [denied?.status, denied?.statusReason],
        ["denied", `You cannot create resource "pods/portforward" in "${foreign}"`],
      );
      assert.equal((await run.cli("wait", `${own}/app`)).code, 0);
      const wait = await run.cli("wait", `${foreign}/app`);
      assert.equal(wait.code, 5);
      assert.match(wait.stderr, /cannot create resource "pods\/portforward"/);
    }
  });

  test("wait names the right that is missing for a namespace that may not be listed, and what leaves others out", async () => {
    const user = { token: await accountToken(cluster, editor) };
    const kubeconfig = writeUserKubeconfig(cluster, folder.path, { name: "editor", user, namespace: own });
    await using run = await startLocalizer({ kubeconfig });
    const wait = await run.cli("wait", `${foreign}/app`);
    assert.equal(wait.code, 5);
    assert.match(wait.stderr, /cannot list resource "(services|endpointslices)"/);
    const system = await run.cli("wait", "kube-system/kube-dns");
    assert.equal(system.code, 4);
    assert.match(system.stderr, /--namespace kube-system/);
  });

  /** Until the API server has forgotten that it once accepted the token. */
  async function refused(token: string): Promise<void> {
    const kubeconfig = writeUserKubeconfig(cluster, folder.path, { name: "revoked", user: { token }, namespace: own });
    const get = ["get", "services", "-n", own, "--kubeconfig", kubeconfig];
    await waitFor("the old token to be refused", async () => (await runProgram(cluster.kubectlPath, get)).code !== 0, {
      timeoutMs: 30_000,
      intervalMs: 500,
    });
  }

  /** A pooled connection asks for no credential; a new pod takes a new one. */
  async function renewPod(): Promise<void> {
    await cluster.kubectl(["delete", "pod", "-n", own, "-l", "app=app", "--force", "--grace-period=0"]);
    await cluster.waitForReadyPods(own, "app=app", 1);
    await cluster.waitForEndpoints(own, "app", 1);
  }

  test("a token that was revoked is renewed by the credential plug-in, which runs no oftener than needed", async () => {
    using files = temporaryFolder();
    const plugin = new FilePlugin(files.path);
    const oldToken = await accountToken(cluster, plugged);
    plugin.give(oldToken);
    const kubeconfig = writeUserKubeconfig(cluster, files.path, { name: "plugged", user: plugin.user, namespace: own });
    const env = { ...withoutSudo(), LOCALIZER_TEST_PROBE: "seen" };
    await using run = await startLocalizer({ kubeconfig, flags: ["--allow-root-exec"], env });
    assert.match(await fetch(run), /^hello from app/);
    assert.deepEqual(plugin.runs, ["uid=0 probe=seen"]);

    // Its successor has the same name and rights, and the old token is worth nothing once the server's cache forgets it.
    await cluster.kubectl(["delete", "serviceaccount", "plugged", "-n", own]);
    await cluster.apply(accountObjects(plugged).slice(0, 1));
    plugin.give(await accountToken(cluster, plugged));
    await refused(oldToken);
    await renewPod();
    await waitFor(
      "the plug-in to be asked again",
      async () => {
        assert.match(await fetch(run), /^hello from app/);
        return plugin.runs.length > 1;
      },
      { timeoutMs: 40_000, intervalMs: 500 },
    );
    for (let i = 0; i < 5; i++) assert.match(await fetch(run), /^hello from app/);
    assert.equal(plugin.runs.length, 2);
  });

  test("a plug-in that needs a log-in shows as that, is not called in a storm, and is asked again later", async () => {
    using files = temporaryFolder();
    const plugin = new FilePlugin(files.path);
    const oldToken = await accountToken(cluster, plugged);
    plugin.give(oldToken);
    const kubeconfig = writeUserKubeconfig(cluster, files.path, { name: "tired", user: plugin.user, namespace: own });
    await using run = await startLocalizer({ kubeconfig, flags: ["--allow-root-exec"], env: withoutSudo() });
    plugin.refuse();
    await cluster.kubectl(["delete", "serviceaccount", "plugged", "-n", own]);
    await cluster.apply(accountObjects(plugged).slice(0, 1));
    await refused(oldToken);
    await renewPod();
    const notices = await waitFor(
      "the notice",
      async () => {
        await fetch(run).catch(() => {});
        const all = await listNotices(run);
        return all.some((text) => /needs login/.test(text)) && all;
      },
      { timeoutMs: 40_000, intervalMs: 200 },
    );
    assert.match(notices.join("\n"), /the session has expired, run: corp login/);
    const runs = plugin.runs.length;
    for (let i = 0; i < 10; i++) await fetch(run).catch(() => {});
    assert.ok(plugin.runs.length - runs <= 1, `${plugin.runs.length - runs} more runs for ten connections`);
    plugin.give(await accountToken(cluster, plugged));
    await waitFor("an answer", () => fetch(run), { timeoutMs: 60_000, intervalMs: 500 });
    assert.deepEqual(
      (await listNotices(run)).filter((text) => /needs login/.test(text)),
      [],
    );
  });

  test("plain root refuses a credential plug-in, and names the flags that help", async () => {
    using files = temporaryFolder();
    const plugin = new FilePlugin(files.path);
    plugin.give("unused");
    const kubeconfig = writeUserKubeconfig(cluster, files.path, { name: "rooted", user: plugin.user, namespace: own });
    using place = localizerPlace("127.0.0.1 localhost\n");
    const program = ["bin/localizer.ts", `--kubeconfig=${kubeconfig}`, `--hosts-file=${place.hostsFile}`];
    const words = [...program, `--socket=${place.socket}`, `--state-dir=${place.stateDir}`];
    const end = await runProgram(process.execPath, [...words, `--root-state-dir=${place.rootStateDir}`], {
      env: withoutSudo(),
    });
    assert.equal(end.code, 5);
    assert.match(end.stderr, /--user/);
    assert.match(end.stderr, /--allow-root-exec/);
    assert.deepEqual(plugin.runs, []);
  });
});

/** As in a container: root, and nobody who called sudo. */
function withoutSudo(): NodeJS.ProcessEnv {
  const { SUDO_UID: _uid, SUDO_GID: _gid, ...env } = process.env;
  return env;
}
