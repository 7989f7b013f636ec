/**
 * kubeconfig files for the cluster's users. Certificates are in the file itself, so that it can be
 * copied to where another user of the machine may read it.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ClusterLayout } from "./layout.ts";
import type { CertificateName } from "./pki.ts";

/** Name of the cluster and of the only context, in every kubeconfig. */
export const contextName = "localizer-test";

/** Writes one user's kubeconfig, once the certificates exist. */
export async function writeKubeconfig(layout: ClusterLayout, user: CertificateName, path: string): Promise<void> {
  const base64 = (file: string) => readFile(join(layout.pkiDir, file), "base64");
  const [authority, certificate, key] = await Promise.all([
    base64("ca.crt"),
    base64(`${user}.crt`),
    base64(`${user}.key`),
  ]);
  const cluster = { server: layout.server, "certificate-authority-data": authority };
  // JSON is a part of YAML.
  const content = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: contextName, cluster }],
    users: [{ name: user, user: { "client-certificate-data": certificate, "client-key-data": key } }],
    contexts: [{ name: contextName, context: { cluster: contextName, user } }],
    "current-context": contextName,
  };
  await writeFile(path, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
}
