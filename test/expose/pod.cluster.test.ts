/** The pod that stands in, on the real cluster: admitted where "restricted" is enforced, for a user with `edit`, and what its sshd allows. */
import assert from "node:assert/strict";
import type { Duplex } from "node:stream";
import { after, before, describe, test } from "node:test";
import { codeOf } from "../../src/errors.ts";
import { podOptions } from "../../src/expose/pod-options.ts";
import { sessionManifests } from "../../src/expose/session-manifests.ts";
import { sshUser } from "../../src/expose/sshd-config.ts";
import { kinds } from "../../src/kube/objects.ts";
import { port } from "../../src/model/port.ts";
import { makeKeyPair } from "../../src/ssh/key-pair.ts";
import { connectSsh } from "../../src/ssh/ssh-client.ts";
import { runCommand } from "../cluster/run-command.ts";
import { sshdImage, testAppImage } from "../cluster/test-images.ts";
import { waitFor } from "../cluster/wait.ts";
import { exampleKeys, exposedPort } from "../support/expose-plan.ts";
import { openPodLab, type PodLab, type PodSession, planFor } from "./pod-lab.ts";
import { rawClient, refusals } from "./raw-ssh.ts";

const limits = { timeout: 300_000 };
const ports = [exposedPort(80, "http", "web"), exposedPort(8080)];

describe("the pod of an exposure", limits, () => {
  let lab: PodLab;
  let session: PodSession;
  const signal = () => AbortSignal.timeout(120_000);

  before(async () => {
    lab = await openPodLab();
    session = await lab.start("cart", { ports });
    await lab.until("to run", session.pod, ({ phase }) => phase === "Running");
    await waitFor("sshd to listen", async () => /Server listening/.test(await logs()) || undefined, {
      timeoutMs: 20_000,
    });
  });

  after(() => lab?.[Symbol.asyncDispose]());

  function logs(): Promise<string> {
    return lab.kubectl(["logs", session.pod.name]);
  }

  function connect(identity: Partial<Parameters<typeof connectSsh>[1]> = {}) {
    const { clientKey, hostKey } = session;
    const known = { user: sshUser, clientKey, hostKey: hostKey.publicKey, ...identity };
    return lab.dial(session).then((transport) => connectSsh(transport, known, signal()));
  }

  /** From the pods' network, which the node is in. */
  function curl(address: string): Promise<string> {
    const { netnsPath } = lab.cluster.layout;
    return runCommand("nsenter", [`--net=${netnsPath}`, "curl", "-sS", "--max-time", "5", address]);
  }

  test("is admitted with its Secret without a warning", async () => {
    const options = podOptions({ image: sshdImage }, "0");
    const { pod, secret } = sessionManifests(planFor(lab.namespace, "other", { ports }), exampleKeys(), options);
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: [secret, pod] });
    const said = await lab.kubectl(["create", "--dry-run=server", "--warnings-as-errors", "-f", "-"], list);
    assert.match(said, /^secret\/\S+ created.*\npod\/\S+ created/);
  });

  test("listens on loopback alone, and is not ready without a tunnel", async () => {
    assert.match(await logs(), /Server listening on 127\.0\.0\.1 port 2222\./);
    const tables = await lab.cluster.kubectl([
      ...["exec", "-n", lab.namespace, session.pod.name, "--"],
      ...["cat", "/proc/net/tcp", "/proc/net/tcp6"],
    ]);
    const listeners = [...tables.matchAll(/^ *\d+: ([0-9A-F]+:[0-9A-F]{4}) \S+ 0A /gm)].map(([, local]) => local);
    assert.ok(listeners.includes("0100007F:08AE"), tables);
    const loopback = ["0100007F:08AE", `${"0".repeat(24)}01000000:08AE`];
    assert.deepEqual(
      listeners.filter((local = "") => !loopback.includes(local)),
      [],
    );

    const { ip, ready, problem, containers } = await lab.state(session.pod);
    await assert.rejects(curl(`http://${ip}:2222/`), /refused|Couldn't connect|Failed to connect/i);
    assert.deepEqual({ ready, problem, containers }, { ready: false, problem: undefined, containers: ["sshd"] });
  });

  test("is ready while its tunnels are up, also on port 80, and answers on its address", async () => {
    const metadata = { name: "cart", namespace: lab.namespace };
    const spec = { selector: { app: "cart" }, ports: [{ name: "web", port: 80, targetPort: "http" }] };
    await lab.cluster.apply([{ apiVersion: "v1", kind: "Service", metadata, spec }]);
    {
      await using connection = await connect();
      for (const { remote } of ports) await connection.forward(remote, answer(`from ${remote}`), signal());
      const { ip } = await lab.until("to be ready", session.pod, ({ ready }) => ready);
      assert.equal(await curl(`http://${ip}:80/`), "from 80");
      assert.equal(await curl(`http://${ip}:8080/`), "from 8080");
      assert.deepEqual(await lab.cluster.waitForEndpoints(lab.namespace, "cart", 0), []);
      const { labels } = session.manifests;
      await lab.objects.patch({ ...kinds.pods, ...session.pod }, { metadata: { labels } });
      assert.deepEqual(await lab.cluster.waitForEndpoints(lab.namespace, "cart", 1), [ip]);
    }
    await lab.until("to be unready", session.pod, ({ ready }) => !ready);
  });

  test("lets nobody listen on another port", async () => {
    await using connection = await connect();
    await assert.rejects(connection.forward(port(9999), answer(""), signal()), (error) => codeOf(error) === "conflict");
  });

  test("does nothing else for who has the key: no command, shell, file transfer or way into the cluster", async () => {
    const { clientKey } = session;
    await using client = await rawClient(await lab.dial(session), { privateKey: clientKey.privateKey });
    // In the server's words, not because the connection was lost.
    const said = Object.entries(await refusals(client));
    for (const [what, words] of said) assert.match(words, /open failed|Unable to bind/, what);
  });

  test("lets in no other key, user or password", async () => {
    const [clientKey, { privateKey }] = [makeKeyPair(), session.clientKey];
    await assert.rejects(connect({ clientKey }), (error) => codeOf(error) === "denied");
    await assert.rejects(rawClient(await lab.dial(session), { username: "root", privateKey }), /authentication/i);
    await assert.rejects(rawClient(await lab.dial(session), { password: "" }), /authentication/i);
  });

  test("is left at once when it has another host key than it should", async () => {
    await assert.rejects(connect({ hostKey: makeKeyPair().publicKey }), (error) => codeOf(error) === "denied");
  });

  test("and its Secret hold nothing of the client's private key, and keep the host's in the Secret alone", async () => {
    const get = async (kind: string) => lab.cluster.kubectl(["get", kind, "-n", lab.namespace, "-o", "json"]);
    const secrets = await get("secrets");
    const decoded = secrets.replace(/"[A-Za-z0-9+/]{16,}={0,2}"/g, (text) => Buffer.from(text, "base64").toString());
    assert.ok(decoded.includes(body(session.hostKey.privateKey)), "the search finds what is there");
    const rest = (await Promise.all(["pods", "leases", "events", "configmaps"].map(get))).join();
    for (const text of [secrets, decoded, rest]) assert.ok(!text.includes(body(session.clientKey.privateKey)));
    assert.ok(!rest.includes(body(session.hostKey.privateKey)));
  });

  test("says in the cluster's words why it does not run", async () => {
    const settings = { imagePullSecrets: [], nodeSelector: { "no.such/label": "x" }, tolerations: [] };
    const [unpulled, unplaced, unfit] = await Promise.all([
      lab.start("unpulled", { ports }, "localhost/none:1"),
      lab.start("unplaced", { ports, pod: settings }),
      lab.start("unfit", { ports }, testAppImage),
    ]);
    const problem = async ({ pod }: PodSession) =>
      (await lab.until("to have a problem", pod, (state) => state.problem !== undefined)).problem;
    const pull = await problem(unpulled);
    assert.match(`${pull?.reason}: ${pull?.message}`, /^(ErrImagePull|ImagePullBackOff): .*localhost\/none:1/);
    const place = await problem(unplaced);
    assert.match(`${place?.reason}: ${place?.message}`, /^Unschedulable: 0\/1 nodes are available/);
    const shell = await problem(unfit);
    assert.match(`${shell?.reason}: ${shell?.message}`, /\/bin\/sh.*no such file/);
  });

  test("goes with its Lease, and so does the Secret", async () => {
    await lab.objects.delete(
      { ...kinds.leases, namespace: lab.namespace, name: session.lease.name },
      { uid: session.lease.uid },
    );
    const { name } = session.pod;
    const gone = async () =>
      (await lab.kubectl(["get", "pod,secret", name, "--ignore-not-found", "-o", "name"])) === "" || undefined;
    await waitFor("pod and Secret to go", gone, { timeoutMs: 30_000 });
  });
});

/** Answers a request and ends. */
function answer(text: string): (channel: Duplex) => void {
  return (channel) => {
    channel.on("error", () => {});
    channel.once("data", () => channel.end(`HTTP/1.0 200 OK\r\n\r\n${text}`));
  };
}

/** A line of a private key's text that holds nothing else; the public key is in those before. */
function body(privateKey: string): string {
  return privateKey.split("\n")[4] ?? assert.fail("the key is too short");
}
