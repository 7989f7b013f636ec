/** Users of the test cluster with few rights: service accounts, and kubeconfigs that speak for them. */
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../cluster/running-cluster.ts";

/** A service account and the built-in ClusterRole that it has in its own namespace. */
export interface AccountSpec {
  readonly namespace: string;
  readonly name: string;
  readonly role: "edit" | "view";
}

/** Account and role binding. */
export function accountObjects({ namespace, name, role }: AccountSpec): readonly object[] {
  const metadata = { name, namespace };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    },
  ];
}

/** A token of the account, as long-lived as the API server makes them. */
export async function accountToken(cluster: Cluster, { namespace, name }: AccountSpec): Promise<string> {
  return (await cluster.kubectl(["create", "token", name, "-n", namespace])).trim();
}

/** Writes a kubeconfig for the test cluster with this user, `user` as kubeconfigs have it, and returns its path. */
export function writeUserKubeconfig(
  cluster: Cluster,
  folder: string,
  { name, user, namespace }: { readonly name: string; readonly user: object; readonly namespace?: string },
): string {
  const admin: unknown = JSON.parse(readFileSync(cluster.kubeconfig, "utf8"));
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: Reflect.get(Object(admin), "clusters"),
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: "localizer-test", user: name, namespace } }],
    "current-context": name,
  };
  const path = join(folder, `${name}.kubeconfig`);
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** A credential plug-in that gives what stands in a file, and notes each run with the environment it saw. */
export class FilePlugin {
  readonly command: string;
  readonly #credential: string;
  readonly #log: string;

  /** @param folder where everybody who shall run it may read and write */
  constructor(folder: string) {
    this.command = join(folder, "plugin.sh");
    this.#credential = join(folder, "credential.json");
    this.#log = join(folder, "plugin.log");
    const script = [
      "#!/bin/sh",
      `echo "uid=$(id -u) probe=$LOCALIZER_TEST_PROBE" >> '${this.#log}'`,
      `[ -e '${this.#credential}' ] || { echo 'the session has expired, run: corp login' >&2; exit 1; }`,
      `cat '${this.#credential}'`,
    ];
    writeFileSync(this.command, `${script.join("\n")}\n`);
    chmodSync(this.command, 0o755);
    writeFileSync(this.#log, "");
    chmodSync(this.#log, 0o666);
  }

  /** For the kubeconfig. */
  get user(): object {
    const apiVersion = "client.authentication.k8s.io/v1";
    return { exec: { apiVersion, command: this.command, interactiveMode: "Never" } };
  }

  /** What it gives from now on. */
  give(token: string): void {
    const status = { token };
    const credential = { apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status };
    writeFileSync(this.#credential, JSON.stringify(credential));
  }

  /** From now on it fails as one does whose session has expired. */
  refuse(): void {
    rmSync(this.#credential);
  }

  /** A line for each run so far. */
  get runs(): readonly string[] {
    return readFileSync(this.#log, "utf8").split("\n").filter(Boolean);
  }
}
