/**
 * The cluster's certificates: one authority, and a certificate for each component, by the
 * common names and organizations that Kubernetes gives rights to.
 */
import { generateKeyPair } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type ClusterLayout, nodeName } from "./layout.ts";
import { runCommand } from "./run-command.ts";

/** Users of the API server that get a kubeconfig, and the certificates without one. */
export const certificateNames = [
  "apiserver",
  "apiserver-kubelet-client",
  "admin",
  "kubelet",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
] as const;

/** Names the files NAME.crt and NAME.key in the pki folder. */
export type CertificateName = (typeof certificateNames)[number];

/** Writes ca, all certificates and the key that signs service accounts' tokens. Needs a second. */
export async function createPki(layout: ClusterLayout): Promise<void> {
  await mkdir(layout.pkiDir, { recursive: true, mode: 0o700 });
  // The system's openssl.cnf would add extensions of its own.
  const config = join(layout.pkiDir, "openssl.cnf");
  await writeFile(config, "[req]\ndistinguished_name = name\n[name]\n");
  const base = [
    "req",
    "-x509",
    "-config",
    config,
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
  ];
  const request = (name: string, subject: string, extensions: readonly string[], signer: readonly string[]) =>
    runCommand("openssl", [
      ...base,
      ...["-days", "3650", "-subj", subject],
      ...extensions.flatMap((extension) => ["-addext", extension]),
      ...signer,
      ...["-keyout", join(layout.pkiDir, `${name}.key`), "-out", join(layout.pkiDir, `${name}.crt`)],
    ]);
  const signer = ["-CA", join(layout.pkiDir, "ca.crt"), "-CAkey", join(layout.pkiDir, "ca.key")];
  const authority = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"];
  await request("ca", "/CN=localizer-test-ca", authority, []);
  await Promise.all([
    writeServiceAccountKey(layout),
    ...certificateNames.map((name) => {
      const { subject, names } = certificate(name, layout);
      const extensions = [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        "extendedKeyUsage=serverAuth,clientAuth",
        ...(names === undefined ? [] : [`subjectAltName=${names.join(",")}`]),
      ];
      return request(name, subject, extensions, signer);
    }),
  ]);
}

/** API server's own service addresses and, for relays on the host, 127.0.0.1 are among the server's names. */
function certificate(name: CertificateName, layout: ClusterLayout): { subject: string; names?: readonly string[] } {
  switch (name) {
    case "apiserver":
      return {
        subject: "/CN=kube-apiserver",
        names: [
          ...["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"].map((dns) => `DNS:${dns}`),
          ...["127.0.0.1", layout.nodeAddress, "10.96.0.1"].map((address) => `IP:${address}`),
        ],
      };
    case "apiserver-kubelet-client":
      return { subject: "/O=system:masters/CN=kube-apiserver-kubelet-client" };
    case "admin":
      return { subject: "/O=system:masters/CN=admin" };
    case "kubelet":
      return {
        subject: `/O=system:nodes/CN=system:node:${nodeName}`,
        names: [`DNS:${nodeName}`, `IP:${layout.nodeAddress}`],
      };
    case "kube-controller-manager":
    case "kube-scheduler":
    case "kube-proxy":
      return { subject: `/CN=system:${name}` };
  }
}

async function writeServiceAccountKey(layout: ClusterLayout): Promise<void> {
  const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  await writeFile(join(layout.pkiDir, "service-account.key"), pem, { mode: 0o600 });
}
