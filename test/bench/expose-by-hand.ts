/** What people do without localizer: a pod with sshd, `kubectl port-forward` to it, and `ssh -R` through that. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { podOptions } from "../../src/expose/pod-options.ts";
import { sessionManifests } from "../../src/expose/session-manifests.ts";
import { sshUser } from "../../src/expose/sshd-config.ts";
import { at } from "../../src/kube/json.ts";
import { serviceKey } from "../../src/model/service-key.ts";
import { makeKeyPair } from "../../src/ssh/key-pair.ts";
import { kubectlEnvironment } from "../cluster/kubectl.ts";
import { sshdImage } from "../cluster/test-images.ts";
import { exampleKeys, examplePlan, exposedPort } from "../support/expose-plan.ts";
import type { Lab } from "./lab.ts";
import { startTool } from "./tool-process.ts";

/** How it is done. */
export interface ByHandOptions {
  /** Path of OpenSSH's client. */
  readonly ssh: string;
  readonly forwards: readonly { readonly remote: number; readonly local: number }[];
  readonly signal: AbortSignal;
}

/** The way is open. Disposing closes it and deletes the pod. */
export interface ByHand extends AsyncDisposable {
  readonly podAddress: string;
  /** Of ssh and kubectl. */
  readonly pids: readonly number[];
}

const startTimeoutMs = 30_000;
const name = "ssh-by-hand";

/** The pod is what localizer makes, sshd's configuration and all, but for the marks by which a localizer would take it for its own. */
export async function exposeByHand(lab: Lab, { ssh, forwards, signal }: ByHandOptions): Promise<ByHand> {
  const { cluster, namespace } = lab;
  await using all = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "localizer-bench-ssh-"));
  all.defer(() => rm(folder, { recursive: true, force: true }));
  const [hostKey, clientKey] = [makeKeyPair(), makeKeyPair()];
  const keyFile = join(folder, "key");
  await writeFile(keyFile, clientKey.privateKey, { mode: 0o600 });

  const ports = forwards.map(({ remote }) => exposedPort(remote));
  const plan = examplePlan({ key: serviceKey(namespace, name), ports });
  const keys = exampleKeys({ session: randomUUID(), hostKey, clientPublicKey: clientKey.publicKey });
  const { secret, pod, sshPort } = sessionManifests(plan, keys, podOptions({ image: sshdImage }, "0"));
  const names = [at(pod, "metadata", "name"), at(secret, "metadata", "name")].map(String);
  const [podName = "", secretName = ""] = names;
  all.defer(async () => {
    // No signal: this has to be done after Ctrl-C as well.
    for (const path of [`pods/${podName}`, `secrets/${secretName}`]) {
      await cluster.api.send("DELETE", `/api/v1/namespaces/${namespace}/${path}`);
    }
  });
  await cluster.apply([unmarked(secret), unmarked(pod)]);
  await cluster.kubectl(
    ["-n", namespace, "wait", "--for=jsonpath={.status.phase}=Running", `pod/${podName}`, "--timeout=30s"],
    { signal },
  );

  const tunnel = all.use(
    await startTool([cluster.kubectlPath, "port-forward", "--namespace", namespace, `pod/${podName}`, `:${sshPort}`], {
      env: { ...kubectlEnvironment(cluster.layout), KUBECONFIG: cluster.kubeconfig },
      readLine: (line) => /^Forwarding from 127\.0\.0\.1:(\d+) /.exec(line)?.slice(1),
      lines: 1,
      timeoutMs: startTimeoutMs,
      signal,
    }),
  );
  const [[localPort = ""] = []] = tunnel.facts;
  const knownHosts = join(folder, "known-hosts");
  await writeFile(knownHosts, `[127.0.0.1]:${localPort} ${hostKey.publicKey}\n`);
  const options = {
    UserKnownHostsFile: knownHosts,
    StrictHostKeyChecking: "yes",
    IdentitiesOnly: "yes",
    ExitOnForwardFailure: "yes",
    // localizer's: what is compared is not the cipher.
    Ciphers: "aes128-gcm@openssh.com",
    PermitLocalCommand: "yes",
    LocalCommand: "echo connected",
  };
  const client = all.use(
    await startTool(
      [
        ...[ssh, "-F", "none", "-N", "-i", keyFile, "-p", localPort],
        ...Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]),
        ...forwards.flatMap(({ remote, local }) => ["-R", `*:${remote}:127.0.0.1:${local}`]),
        `${sshUser}@127.0.0.1`,
      ],
      {
        env: { PATH: process.env.PATH, HOME: folder },
        readLine: (line) => (line === "connected" ? [line] : undefined),
        lines: 1,
        timeoutMs: startTimeoutMs,
        signal,
      },
    ),
  );
  // Then sshd listens on all ports, as the pod's probe says.
  const [ready] = await cluster.waitForReadyPods(namespace, `app=${name}`, 1, startTimeoutMs);
  const works = all.move();
  return {
    podAddress: ready?.address ?? "",
    get pids() {
      return [...client.pids, ...tunnel.pids];
    },
    [Symbol.asyncDispose]: () => works.disposeAsync(),
  };
}

function unmarked(object: object): object {
  const { name: own, namespace } = Object(at(object, "metadata"));
  return { ...object, metadata: { name: own, namespace, labels: { app: name } } };
}
