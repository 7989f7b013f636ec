/** A workload's environment on the real cluster, read by a user with the role edit, held against what the kubelet has given the container. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { connectDaemon } from "../../src/rpc/client.ts";
import { waitFor } from "../cluster/wait.ts";
import { fromSources, type LocalizerRun } from "../e2e/localizer-run.ts";
import { accountObjects, accountToken, writeUserKubeconfig } from "../e2e/service-account.ts";
import { readComposeDotenv } from "../support/compose-dotenv.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type ExposePlace, openExposePlace, restrictedApp } from "./expose-place.ts";

const certificate = '-----BEGIN CERTIFICATE-----\nit\'s "$HOME" \\\n-----END CERTIFICATE-----\n';
const editor = (namespace: string) => ({ namespace, name: "editor", role: "edit" }) as const;
/** What the container's node alone can tell. */
const ofThePod = ["POD_IP", "CPUS"];

describe("a workload's environment, for a user with the role edit", () => {
  const stack = new AsyncDisposableStack();
  let place: ExposePlace;
  let daemon: LocalizerRun;
  let folder: string;

  before(async () => {
    const objects = (namespace: string) => [...environmentObjects(namespace), ...accountObjects(editor(namespace))];
    place = stack.use(await openExposePlace({ objects }));
    const { cluster, namespace } = place;
    await cluster.waitForReadyPods(namespace, "app=cart", 1);
    folder = stack.use(temporaryFolder()).path;
    const token = await accountToken(cluster, editor(namespace));
    const kubeconfig = writeUserKubeconfig(cluster, folder, { name: "editor", user: { token }, namespace });
    // As the installed program is started: Node would take --env-file for its own.
    const [node = "", ...words] = fromSources;
    daemon = await place.daemon({ kubeconfig, client: [node, "--", ...words] });
  });

  after(() => stack.disposeAsync());

  test("is what the kubelet has made of it, and Secrets are in it on request alone", async () => {
    const { namespace } = place;
    const real = await waitFor("the container's process", () => environmentOf(namespace), { timeoutMs: 20_000 });
    await using client = connectDaemon({ socketPath: daemon.place.socket });
    const whole = await client.workloadEnvironment({ namespace, service: "cart", secrets: true });
    assert.equal(whole.source, 'Deployment "cart"');
    assert.deepEqual(whole.omitted.map(({ name }) => name).sort(), [...ofThePod].sort());
    for (const { name, value } of whole.variables) assert.equal(value, real.get(name), name);
    const told = new Set(whole.variables.map(({ name }) => name));
    // The runtime's own, and those of Services.
    const isExtra = (name: string) =>
      /^(PATH|HOSTNAME|HOME|(KUBERNETES|CART)_.*)$/.test(name) || ofThePod.includes(name);
    assert.deepEqual(
      [...real.keys()].filter((name) => !told.has(name) && !isExtra(name)),
      [],
    );
    const open = await client.workloadEnvironment({ namespace, service: "cart" });
    assert.deepEqual(open.omitted.map(({ name }) => name).sort(), ["", ...ofThePod, "PASSWORD", "URL"].sort());
    assert.ok(!JSON.stringify(open).includes("s3cret"));
  });

  test("reaches files and a program while the Service is exposed, and no Secret's value the daemon's log", async () => {
    const { namespace } = place;
    const file = join(folder, ".env");
    await using local = await place.process("laptop");
    const program = "process.stdout.write(JSON.stringify([process.env.URL, process.env.CERTIFICATE]))";
    const flags = [`--map=${local.port}:http`, "--env-file", file, "--env", "--env-secrets"];
    const words = ["expose", `${namespace}/cart`, ...flags, "--", process.execPath, "-e", program];
    const { code, stdout, stderr } = await daemon.cli(...words);
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), ["pg://me:s3cret@db/fast", certificate]);
    assert.match(
      stderr,
      /^Warning: Variable POD_IP of Deployment "cart" is left out: it is status\.podIP of each pod$/m,
    );
    const written = readComposeDotenv(readFileSync(file, "utf8"));
    assert.equal(written.get("CERTIFICATE"), certificate);
    assert.equal(written.get("PASSWORD"), "s3cret");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(!`${daemon.output()}${stderr}`.includes("s3cret"));
  });

  test("is the same while the workload is at 0", async () => {
    const { namespace } = place;
    await using client = connectDaemon({ socketPath: daemon.place.socket });
    const before = await client.workloadEnvironment({ namespace, service: "cart" });
    await using local = await place.process("laptop");
    await Array.fromAsync(client.expose({ namespace, service: "cart", portMaps: [`${local.port}:http`] }));
    assert.deepEqual(await client.workloadEnvironment({ namespace, service: "cart" }), before);
    await Array.fromAsync(client.stopExpose({ namespace, service: "cart" }));
  });
});

/** Deployment "cart", whose container has something of every source. */
function environmentObjects(namespace: string): readonly object[] {
  const env = [
    { name: "MARK", value: namespace },
    { name: "PASSWORD", valueFrom: { secretKeyRef: { name: "db", key: "password" } } },
    { name: "URL", value: "pg://me:$(PASSWORD)@db/$(MODE)" },
    { name: "CERTIFICATE", valueFrom: { configMapKeyRef: { name: "settings", key: "certificate" } } },
    { name: "MODE", value: "slow" },
    { name: "RAW", value: "$$(MODE) $(NOTHING) $(MODE $MODE" },
    { name: "WHERE", valueFrom: { fieldRef: { fieldPath: "metadata.namespace" } } },
    { name: "APP", valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
    { name: "ACCOUNT", valueFrom: { fieldRef: { fieldPath: "spec.serviceAccountName" } } },
    { name: "NONE", valueFrom: { configMapKeyRef: { name: "none", key: "x", optional: true } } },
    { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
    { name: "CPUS", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
  ];
  const envFrom = [
    { configMapRef: { name: "settings" } },
    { prefix: "DB_", secretRef: { name: "db" } },
    { configMapRef: { name: "none", optional: true } },
  ];
  const metadata = (name: string) => ({ name, namespace });
  const data = { MODE: "fast", "dotted.name": "1", certificate };
  return [
    { apiVersion: "v1", kind: "ConfigMap", metadata: metadata("settings"), data },
    { apiVersion: "v1", kind: "Secret", metadata: metadata("db"), stringData: { password: "s3cret", user: "me" } },
    ...restrictedApp(namespace, "cart", 1).map((object) => withEnvironment(object, { env, envFrom })),
  ];
}

function withEnvironment(
  object: object,
  more: { readonly env: readonly object[]; readonly envFrom: readonly object[] },
) {
  const spec = Object(Reflect.get(object, "spec"));
  const template = spec.template;
  if (template === undefined) return object;
  const [container] = template.spec.containers;
  const containers = [{ ...container, ...more, env: [...container.env, ...more.env] }];
  return { ...object, spec: { ...spec, template: { ...template, spec: { ...template.spec, containers } } } };
}

/** Of the process that has this mark: the node's processes are this machine's. */
function environmentOf(mark: string): ReadonlyMap<string, string> | undefined {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const entries = environ(pid)
      .split("\0")
      .filter((entry) => entry !== "");
    if (!entries.includes(`MARK=${mark}`)) continue;
    return new Map(entries.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]));
  }
  return undefined;
}

/** Empty for a process that has ended meanwhile. */
function environ(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return "";
  }
}
