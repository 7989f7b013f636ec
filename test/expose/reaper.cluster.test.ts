/**
 * The reaper on the real cluster: the manifest that the program prints, an image of this very program, with the rights that are
 * printed and no others; forgotten sessions go back, living ones and those elsewhere stay.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { at, listAt, numberAt, textsAt } from "../../src/kube/json.ts";
import { startCluster } from "../cluster/cluster.ts";
import { runCommand } from "../cluster/run-command.ts";
import type { Cluster } from "../cluster/running-cluster.ts";
import { waitFor } from "../cluster/wait.ts";
import { restrictedApp } from "./expose-place.ts";
import { type HandMadeSession, openSessionMaker, type SessionMaker } from "./hand-made-session.ts";
import { localizerImage } from "./localizer-image.ts";

const image = "localhost/localizer:test";
const program = join(import.meta.dirname, "../../bin/localizer.ts");
const own = "localizer.dev/";

describe("the reaper", { timeout: 600_000 }, () => {
  const suffix = randomBytes(3).toString("hex");
  const [home, shop, bank, elsewhere] = ["home", "shop", "bank", "elsewhere"].map((name) => `reaper-${name}-${suffix}`);
  const namespaces = [home, shop, bank, elsewhere].map((name = "") => name);
  const works = new AsyncDisposableStack();
  let cluster: Cluster;
  let sessions: SessionMaker;
  let manifest: string;

  before(async () => {
    cluster = works.use(await startCluster());
    works.defer(async () => {
      await cluster.kubectl(["delete", "namespace", "--wait=false", "--ignore-not-found", ...namespaces]);
    });
    await cluster.importImage(await localizerImage(image));
    const level = "pod-security.kubernetes.io";
    const labels = { [`${level}/enforce`]: "restricted", [`${level}/warn`]: "restricted" };
    await cluster.apply(
      namespaces.map((name) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } })),
    );
    const apps = [
      [shop, "cart"],
      [bank, "ledger"],
      [bank, "vault"],
      [elsewhere, "cart"],
    ].flatMap(([namespace = "", name = ""]) => restrictedApp(namespace, name));
    await cluster.apply(apps);
    sessions = works.use(await openSessionMaker(cluster));
    manifest = await print("--watch-namespace", `${shop},${bank}`, "--grace=2s", "--every=1s");
  });

  after(() => works.disposeAsync());

  function print(...flags: readonly string[]): Promise<string> {
    const words = ["cluster", "manifest", "--namespace", home ?? "", "--image", image, ...flags];
    return runCommand(process.execPath, [program, ...words]);
  }

  /** The replicas that it is set to, and what localizer has written on it. */
  async function owner(namespace = "", name = "") {
    const words = ["get", "deployment", name, "-n", namespace, "-o", "json"];
    const object: unknown = JSON.parse(await cluster.kubectl(words));
    const marks = Object.keys(textsAt(object, "metadata", "annotations")).filter((key) => key.startsWith(own));
    return { replicas: numberAt(object, "spec", "replicas"), marks: marks.length };
  }

  async function left(namespace = "", { objects }: HandMadeSession): Promise<readonly string[]> {
    const words = ["get", ...objects, "-n", namespace, "--ignore-not-found", "-o", "name"];
    return (await cluster.kubectl(words)).split("\n").filter((line) => line !== "");
  }

  function logs(): Promise<string> {
    return cluster.kubectl(["logs", "-n", home ?? "", "deployment/localizer-reaper"]);
  }

  test("is admitted where restricted is enforced, in either form, and the server knows every field", async () => {
    const check = ["create", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "-f", "-"];
    for (const text of [manifest, await print(), await print("--kind", "rollouts.argoproj.io")]) {
      assert.match(await cluster.kubectl(check, { input: text }), /deployment.apps\/localizer-reaper created/);
    }
  });

  test("puts back forgotten sessions, and leaves living ones and those elsewhere alone", async () => {
    const [forgotten, living, lost, foreign] = await Promise.all([
      sessions.make(shop ?? "", "cart", { holder: "alice@laptop" }),
      sessions.make(bank ?? "", "ledger", { holder: "bob@desk", lives: true }),
      sessions.make(bank ?? "", "vault", { holder: "carol@train" }),
      sessions.make(elsewhere ?? "", "cart", { holder: "dave@moon" }),
    ]);
    // Somebody tidies up: pod and Secret go with it, and the workload stays at 0.
    await cluster.kubectl(["delete", "-n", bank ?? "", ...lost.objects.slice(0, 1)]);
    for (const [namespace, name] of [
      [shop, "cart"],
      [bank, "vault"],
      [bank, "ledger"],
    ]) {
      assert.deepEqual(await owner(namespace, name), { replicas: 0, marks: 3 });
    }

    await cluster.kubectl(["apply", "--warnings-as-errors", "-f", "-"], { input: manifest });
    await cluster.waitForReadyPods(home ?? "", "app.kubernetes.io/component=reaper", 1, 60_000);
    const isBack = async () => (await left(shop, forgotten)).length === 0 || undefined;
    await waitFor("the forgotten session to go", isBack, { timeoutMs: 60_000 }).catch(async (error: unknown) => {
      throw new Error(`${String(error)}; the reaper says: ${await logs()}`);
    });
    assert.deepEqual(await owner(shop, "cart"), { replicas: 2, marks: 0 });
    assert.deepEqual(await owner(bank, "vault"), { replicas: 2, marks: 0 });
    await cluster.waitForEndpoints(shop ?? "", "cart", 2);

    // Longer than a silent one would have had.
    await pause(8_000);
    assert.deepEqual(await owner(bank, "ledger"), { replicas: 0, marks: 3 });
    assert.equal((await left(bank, living)).length, 3);
    assert.deepEqual(await owner(elsewhere, "cart"), { replicas: 0, marks: 3 });
    assert.equal((await left(elsewhere, foreign)).length, 3);
  });

  test("says what it did, once, and nothing of what it may not do", async () => {
    const text = await logs();
    const words = text.split("\n").filter((line) => line !== "" && !line.startsWith("warn: Did not look at "));
    assert.match(
      words[0] ?? "",
      /^Looking for forgotten exposures in namespaces .* of context "in-cluster", every 1 s$/,
    );
    for (const what of [
      new RegExp(`^Deployment "${shop}/cart" is set to 2 again$`),
      new RegExp(`^Deployment "${bank}/vault" is set to 2 again$`),
      new RegExp(`^"${shop}/cart" is not exposed by alice@laptop any more$`),
    ]) {
      assert.equal(words.filter((line) => what.test(line)).length, 1, `${what} in ${text}`);
    }
    assert.doesNotMatch(words.join("\n"), /forbidden|Trying again|^error|ReplicaSet|ledger|elsewhere/m);
    await pause(3_000);
    assert.equal(await logs(), text);
  });

  test("may do what it needs in the watched namespaces, and nothing else anywhere", async () => {
    const account = `--as=system:serviceaccount:${home}:localizer-reaper`;
    const allowed = (verb: string, resource: string, namespace = "") =>
      cluster.kubectl(["auth", "can-i", verb, resource, "-n", namespace, account]).then(
        (answer) => answer.trim() === "yes",
        () => false,
      );
    assert.ok(await allowed("patch", "deployments.apps", shop));
    for (const [verb, resource, namespace] of [
      ["patch", "deployments.apps", elsewhere],
      ["delete", "pods", home],
      ["get", "secrets", shop],
      ["list", "secrets", shop],
      ["create", "pods", shop],
      ["get", "pods/log", shop],
      ["delete", "deployments.apps", shop],
      ["patch", "services", shop],
      ["update", "leases.coordination.k8s.io", shop],
    ] as const) {
      assert.equal(await allowed(verb, resource, namespace), false, `${verb} ${resource} in ${namespace}`);
    }
  });

  test("fits into its limits, with much to spare", async () => {
    const words = ["exec", "-n", home ?? "", "deployment/localizer-reaper", "--"];
    const script = "console.log(require('fs').readFileSync('/proc/1/status', 'utf8'))";
    const status = await cluster.kubectl([...words, "/bin/node", "-e", script]);
    const peakKb = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]);
    assert.ok(peakKb > 0 && peakKb < 128 * 1_024, `${peakKb} kB`);
  });

  test("also runs as plain root, without a home", async () => {
    const name = `reaper-root-${suffix}`;
    const metadata = { name, namespace: home };
    const args = ["restore", `--namespace=${shop}`];
    const container = { name: "localizer", image, imagePullPolicy: "Never", args, env: [{ name: "HOME", value: "" }] };
    const account = { serviceAccountName: "localizer-reaper", automountServiceAccountToken: true };
    const spec = { restartPolicy: "Never", ...account, containers: [container] };
    // The level of the namespace lets no root in.
    await cluster.kubectl(["label", "namespace", home ?? "", "pod-security.kubernetes.io/enforce-", "--overwrite"]);
    await cluster.apply([{ apiVersion: "v1", kind: "Pod", metadata, spec }]);
    const said = async () => {
      const text = await cluster.kubectl(["logs", "-n", home ?? "", name]).catch(() => "");
      return text === "" ? undefined : text;
    };
    const text = await waitFor("the pod to say something", said, { timeoutMs: 30_000 });
    // Suites beside this one bring kinds of their own, which come, go, and may not be read by the reaper.
    const lines = text.split("\n").filter((line) => !line.includes("test.localizer.dev"));
    assert.deepEqual(lines, [`Nothing to restore in namespace "${shop}" of context "in-cluster"`, ""]);
  });

  test("stops when it is told to, and all of it can be removed", async () => {
    const its = ["pod", "-n", home ?? "", "-l", "app.kubernetes.io/component=reaper", "--timeout=240s"];
    const exitCode = "{.status.containerStatuses[0].state.terminated.exitCode}";
    // One that had to be killed ends with 137.
    const ended = cluster.kubectl(["wait", `--for=jsonpath=${exitCode}=0`, ...its]);
    await Promise.all([ended, cluster.kubectl(["delete", "--timeout=240s", "-f", "-"], { input: manifest })]);
    await cluster.kubectl(["wait", "--for=delete", ...its]);
    const kinds = "serviceaccount,role,rolebinding,deployment";
    for (const namespace of namespaces) {
      const list: unknown = JSON.parse(await cluster.kubectl(["get", kinds, "-n", namespace, "-o", "json"]));
      const named = listAt(list, "items").map((item) => String(at(item, "metadata", "name")));
      assert.deepEqual(
        named.filter((name) => name.startsWith("localizer-reaper")),
        [],
      );
    }
  });
});
