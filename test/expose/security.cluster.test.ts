/**
 * What a running exposure of a daemon gives away, on the real cluster: nothing. Here the test is the attacker: in the cluster, on the
 * laptop, on the way between them, and with the client's key, which it takes from the daemon's memory.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { after, before, describe, test } from "node:test";
import { systemClock as clock } from "../../src/clock.ts";
import { textAt, textsAt } from "../../src/kube/json.ts";
import { loadCluster } from "../../src/kube/kubeconfig.ts";
import { headOf } from "../../src/kube/objects.ts";
import { silentLogger } from "../../src/log.ts";
import type { PodRef } from "../../src/model/endpoint.ts";
import { port } from "../../src/model/port.ts";
import { podConnector } from "../../src/portforward/choose-engine.ts";
import { engineDialer } from "../../src/portforward/engine-dialer.ts";
import { openPodDialer } from "../../src/portforward/pod-dialer.ts";
import { makeKeyPair } from "../../src/ssh/key-pair.ts";
import { CommandError, runCommand } from "../cluster/run-command.ts";
import { waitFor } from "../cluster/wait.ts";
import type { LocalizerRun } from "../e2e/localizer-run.ts";
import { accountObjects, accountToken, writeUserKubeconfig } from "../e2e/service-account.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { expose, exposureOf, stopExpose } from "./daemon-client.ts";
import { type ExposePlace, openExposePlace, restrictedApp, scaledState } from "./expose-place.ts";
import { keysInMemory, tcpListeners } from "./process-memory.ts";
import { type RawClient, type RawLogin, rawClient, refusals } from "./raw-ssh.ts";
import { openRogueSsh } from "./rogue-ssh.ts";

const sshPort = port(2222);
const targets = [7000, 7003];
const account = (namespace: string, role: "edit" | "view") => ({ namespace, name: role, role }) as const;

describe("a running exposure", () => {
  const stack = new AsyncDisposableStack();
  let place: ExposePlace;
  let daemon: LocalizerRun;
  let kubeconfigs: { readonly edit: string; readonly view: string };
  let pod: PodRef & { readonly ip: string };
  /** From the daemon's memory. */
  let clientKey: string;
  let clientPublicKey: string;
  let before0: unknown;
  let listenersBefore: readonly string[];

  before(async () => {
    const objects = (namespace: string) => [
      ...restrictedApp(namespace, "cart", 1),
      ...accountObjects(account(namespace, "edit")),
      ...accountObjects(account(namespace, "view")),
    ];
    const labels = { "pod-security.kubernetes.io/enforce": "restricted" };
    place = stack.use(await openExposePlace({ objects, labels }));
    const { cluster, namespace } = place;
    await cluster.waitForReadyPods(namespace, "app=cart", 1);
    const folder = stack.use(temporaryFolder()).path;
    const configOf = async (role: "edit" | "view") => {
      const token = await accountToken(cluster, account(namespace, role));
      return writeUserKubeconfig(cluster, folder, { name: role, user: { token }, namespace });
    };
    kubeconfigs = { edit: await configOf("edit"), view: await configOf("view") };
    daemon = await place.daemon({ kubeconfig: kubeconfigs.edit, flags: ["--log-level=debug"] });
    listenersBefore = tcpListeners(pidOf(daemon));
    before0 = scaledState(await place.get("deployment", "cart"));
    const local = stack.use(await place.process("laptop"));
    await expose(daemon, { namespace, service: "cart", portMaps: [`${local.port}:http`] });
    const name = (await exposureOf(daemon, "cart"))?.pod ?? "";
    const object = await place.get("pod", name);
    pod = { namespace, name, uid: headOf(object).uid, ip: textAt(object, "status", "podIP") ?? "" };
    const keys = textsAt(await place.get("secret", name), "data").authorized_keys ?? "";
    clientPublicKey = /ssh-ed25519 (\S+)/.exec(Buffer.from(keys, "base64").toString())?.[1] ?? "";
    const known = keysInMemory(pidOf(daemon)).filter((key) => publicKeyIn(key) === clientPublicKey);
    assert.equal(known.length, 1, "the search finds the client's key where it must be");
    clientKey = known[0] ?? "";
  });

  after(() => stack.disposeAsync());

  /** While some have not logged in sshd drops others at random (MaxStartups). @throws what the server says */
  async function logIn(login: RawLogin): Promise<RawClient> {
    for (let attempt = 1; ; attempt++) {
      await using works = new AsyncDisposableStack();
      try {
        const client = works.use(await rawClient(works.use(await dial()), login));
        const owned = works.move();
        return { ssh: client.ssh, [Symbol.asyncDispose]: () => owned.disposeAsync() };
      } catch (error) {
        if (attempt === 10 || !/broke the connection off|closed|lost before handshake/.test(String(error))) throw error;
        await clock.sleep(500);
      }
    }
  }

  /** A stream to the pod's sshd, as a user with `edit` gets it. */
  async function dial(): Promise<Duplex & AsyncDisposable> {
    await using works = new AsyncDisposableStack();
    const target = works.use(await loadCluster({ path: kubeconfigs.edit, env: {}, home: "/", readFile }));
    const connector = works.use(podConnector({ cluster: target, clock, log: silentLogger() }));
    const pools = works.use(openPodDialer({ connect: (of, signal) => connector.connect(of, signal), clock }));
    const stream = await engineDialer(connector, pools.dial)({ pod, port: sshPort }, AbortSignal.timeout(120_000));
    const owned = works.move();
    return Object.assign(stream, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
  }

  test("lets in no password, no other key, no other user", async () => {
    const stranger = makeKeyPair().privateKey;
    for (const login of [
      { password: "" },
      { password: "localizer" },
      { privateKey: stranger },
      { username: "root", privateKey: clientKey },
    ]) {
      await assert.rejects(logIn(login), /authentication/i, JSON.stringify(Object.keys(login)));
    }
  });

  test("gives nothing but its own ports to who has the key", async () => {
    await using client = await logIn({ privateKey: clientKey });
    const said = await refusals(client);
    // In the server's words, not because the connection was lost.
    for (const [what, words] of Object.entries(said)) assert.match(words, /open failed|Unable to bind/, what);
    assert.equal(Object.keys(said).length, 6);
  });

  test("listens on the pod's address at its target ports, and at no other", async () => {
    const tables = await place.kubectl("exec", pod.name, "--", "cat", "/proc/net/tcp", "/proc/net/tcp6");
    const listeners = [...tables.matchAll(/^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) \S+ 0A /gm)];
    const loopback = ["0100007F", `${"0".repeat(24)}01000000`];
    const open = listeners.filter(([, address = ""]) => !loopback.includes(address));
    const numbers = [...new Set(open.map(([, , hex = ""]) => Number.parseInt(hex, 16)))].sort();
    assert.deepEqual(numbers, targets);
    const datagrams = await place.kubectl("exec", pod.name, "--", "cat", "/proc/net/udp", "/proc/net/udp6");
    assert.deepEqual(
      datagrams.split("\n").filter((line) => /^ *\d+:/.test(line)),
      [],
    );
    await assert.rejects(curl(`http://${pod.ip}:${sshPort}/`), /refused|Couldn't connect|Failed to connect/i);
    assert.match(await curl(`http://${pod.ip}:7003/`), /hello from laptop/);
  });

  /** From the pods' network, which the node is in. */
  function curl(address: string): Promise<string> {
    const { netnsPath } = place.cluster.layout;
    return runCommand("nsenter", [`--net=${netnsPath}`, "curl", "-sS", "--max-time", "5", address]);
  }

  test("keeps the client's key out of the cluster, off the disk and out of the log", async () => {
    const { namespace, cluster } = place;
    const kinds = (await cluster.kubectl(["api-resources", "--namespaced", "--verbs=list", "-o", "name"])).trim();
    const list = ["get", kinds.split("\n").join(","), "-n", namespace, "-o", "json", "--show-managed-fields"];
    const objects = await cluster.kubectl(list);
    assert.ok(objects.includes('"managedFields"') && objects.includes('"kind": "Event"'));
    const decoded = objects.replace(/"[A-Za-z0-9+/]{16,}={0,2}"/g, (text) => Buffer.from(text, "base64").toString());
    const files = filesOf(daemon).map((path) => readFileSync(path, "latin1"));
    assert.ok(files.length > 0 && files.some((text) => text.includes(pod.name.slice(-8))), "the journal is among them");
    const log = daemon.output();
    assert.ok(log.includes(pod.name));
    const places: Readonly<Record<string, string>> = { objects, decoded, log, files: files.join("\n") };
    assert.ok(decoded.includes(clientPublicKey), "the search finds what is there");
    for (const [where, text] of Object.entries(places)) {
      for (const secret of traces(clientKey)) assert.ok(!text.includes(secret), where);
    }
    // The host's key is in the Secret and nowhere else.
    const hostKey = textsAt(await place.get("secret", pod.name), "data").hostkey ?? "";
    const [trace = ""] = traces(Buffer.from(hostKey, "base64").toString());
    assert.ok(decoded.includes(trace));
    for (const where of ["log", "files"]) assert.ok(!places[where]?.includes(trace), where);
  });

  test("shows a user with the role view no Secret, and lets him near neither pod nor port", async () => {
    const { cluster, namespace } = place;
    const asViewer = (...args: readonly string[]) => cluster.kubectl(["--kubeconfig", kubeconfigs.view, ...args]);
    for (const wish of [
      ["get", "secret", pod.name],
      ["get", "secrets"],
    ]) {
      await assert.rejects(asViewer(...wish), /secrets.* is forbidden/);
    }
    await assert.rejects(asViewer("exec", pod.name, "--", "cat", "/etc/localizer/hostkey"), /forbidden/);
    for (const verb of ["get", "create"]) {
      const answer = await asViewer("auth", "can-i", verb, "pods", "--subresource=portforward", "-n", namespace).catch(
        (error: unknown) => {
          if (error instanceof CommandError && error.exitCode === 1) return "no";
          throw error;
        },
      );
      assert.match(answer, /^no/, verb);
    }
    const seen = await asViewer("get", "all,events,configmaps,endpointslices", "-o", "json");
    assert.ok(seen.includes(pod.name) && !seen.includes("PRIVATE KEY"));
  });

  test("opens no port on the laptop", () => {
    assert.ok(listenersBefore.length > 0);
    assert.deepEqual(tcpListeners(pidOf(daemon)), listenersBefore);
  });

  test("is not spoken to when the pod has another host key than it was given", async () => {
    const { namespace } = place;
    await using rogue = await openRogueSsh(pod.uid, sshPort);
    // All of the pod's processes but the first: sshd goes on listening, its connections end, perhaps that of this command too.
    await place.kubectl("exec", pod.name, "--", "/bin/sh", "-c", "kill -9 -1").catch(() => {});
    const state = async () => {
      const exposure = await exposureOf(daemon, "cart");
      return exposure?.state === "reconnecting" && /host key/i.test(exposure.reason) ? exposure : undefined;
    };
    const { reason } = await waitFor("the daemon to notice", state, { timeoutMs: 60_000 });
    assert.match(reason, /host key/i);
    assert.deepEqual(new Set(rogue.events()), new Set(["connection"]));
    // No tunnel: nobody answers for the Service, least of all the rogue.
    assert.doesNotMatch(await place.call("cart", 80), /hello/);
    await stopExpose(daemon, { namespace, service: "cart" });
    await waitFor("what was made to go", async () => (await place.leftovers()).length === 0, { timeoutMs: 30_000 });
    assert.deepEqual(scaledState(await place.get("deployment", "cart")), before0);
  });
});

function pidOf({ child }: LocalizerRun): number {
  return child.pid ?? assert.fail("it does not run");
}

/** All files that the daemon may write, and its socket's folder. */
function filesOf({ place }: LocalizerRun): readonly string[] {
  const folder = join(place.socket, "..");
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.map((name) => join(folder, name)).filter((path) => statSync(path).isFile());
}

/** The public part of a private key's text (PROTOCOL.key): as in `authorized_keys`. */
function publicKeyIn(privateKey: string): string {
  const bytes = Buffer.from(privateKey.split("\n").slice(1, -2).join(""), "base64");
  const at = bytes.indexOf("\0\0\0\x0bssh-ed25519");
  return bytes.subarray(at, at + 51).toString("base64");
}

/** What nobody else can have of it: lines of its text with the secret part, and the seed in other spellings. */
function traces(privateKey: string): readonly string[] {
  const lines = privateKey.split("\n").slice(1, -2);
  const bytes = Buffer.from(lines.join(""), "base64");
  const second = bytes.indexOf("ssh-ed25519", bytes.indexOf("ssh-ed25519") + 1);
  // Its name, then the point and the seed, each with its length.
  const seed = bytes.subarray(second + 11 + 4 + 32 + 4, second + 11 + 4 + 32 + 4 + 32);
  return [lines[2] ?? "", lines[3] ?? "", seed.toString("hex"), seed.toString("base64url"), seed.toString("latin1")];
}
