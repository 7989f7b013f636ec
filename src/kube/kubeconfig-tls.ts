/** Certificates of a kubeconfig: whom we trust, and what we show. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { LocalizerError } from "../errors.ts";
import { at } from "./json.ts";
import { inFolder, type KubeconfigEntry, wordAt } from "./kubeconfig-file.ts";
import { readNamed } from "./kubeconfig-merge.ts";
import type { TlsOptions } from "./tls-client.ts";

/** The entries, and their names for sentences. */
export interface TlsEntries {
  readonly clusterName: string;
  readonly cluster: KubeconfigEntry;
  readonly userName: string;
  readonly user: KubeconfigEntry;
}

/**
 * Reads them, from the entries themselves (`…-data`) or from the files that they name.
 * @throws LocalizerError `usage` when they contradict each other, are no base64 or of no use, `not-found` or `denied` for a file
 */
export async function readTls(
  files: { readonly readFile: (path: string) => Promise<Uint8Array> },
  { clusterName, cluster, userName, user }: TlsEntries,
): Promise<TlsOptions> {
  const insecure = isInsecure(clusterName, cluster);
  const given = await readPem(files, cluster, "certificate-authority", `the cluster "${clusterName}"`);
  const ca = given === undefined ? undefined : authorities(given);
  if (insecure && ca !== undefined) {
    const sentence = `Cannot use the cluster "${clusterName}": it has both a certificate-authority`;
    throw new LocalizerError("usage", `${sentence} and insecure-skip-tls-verify`);
  }
  const cert = await readPem(files, user, "client-certificate", `the user "${userName}"`);
  const key = await readPem(files, user, "client-key", `the user "${userName}"`);
  if ((cert === undefined) !== (key === undefined)) {
    const missing = cert === undefined ? "client-certificate" : "client-key";
    throw new LocalizerError("usage", `Cannot use the user "${userName}": it has no ${missing} to go with the other`);
  }
  if (cert !== undefined && key !== undefined) refuseMismatch(userName, cert, key);
  const servername = wordAt(cluster.value, "tls-server-name");
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert: cert.bytes }),
    ...(key === undefined ? {} : { key: key.bytes }),
    ...(servername === undefined ? {} : { servername }),
    rejectUnauthorized: !insecure,
  };
}

function isInsecure(clusterName: string, cluster: KubeconfigEntry): boolean {
  const flag = at(cluster.value, "insecure-skip-tls-verify") ?? false;
  if (typeof flag === "boolean") return flag;
  const sentence = `Cannot use the cluster "${clusterName}": its insecure-skip-tls-verify is neither true nor false`;
  throw new LocalizerError("usage", sentence);
}

/** What was read, and from where, for sentences. */
interface Pem {
  readonly bytes: Buffer;
  /** `the cluster "a"`. */
  readonly whose: string;
  /** `its certificate-authority "/etc/ca.crt"`. */
  readonly place: string;
}

/**
 * The certificates among the blocks. One that cannot be read is passed over, as in Go: OpenSSL would stop there and
 * leave out the others without a word.
 */
function authorities({ bytes, whose, place }: Pem): Buffer {
  const good = certificatesOf(bytes);
  if (good.all.length === 0) {
    throw new LocalizerError("usage", `Cannot use ${whose}: ${place} holds no certificate in PEM that can be read`);
  }
  return good.isWhole ? bytes : Buffer.from(`${good.all.join("\n")}\n`, "latin1");
}

/** The blocks that are certificates, and whether nothing that calls itself one was left out. */
export function certificatesOf(pem: Uint8Array): { readonly all: readonly string[]; readonly isWhole: boolean } {
  const text = Buffer.from(pem).toString("latin1");
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  const all = blocks.filter(isCertificate);
  return { all, isWhole: all.length === text.split("-----BEGIN CERTIFICATE-----").length - 1 };
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function refuseMismatch(userName: string, cert: Pem, key: Pem): void {
  const [first] = certificatesOf(cert.bytes).all;
  const fault =
    first === undefined
      ? `${cert.place} holds no certificate in PEM that can be read`
      : keyFault(new X509Certificate(first), cert, key);
  if (fault !== undefined) throw new LocalizerError("usage", `Cannot use the user "${userName}": ${fault}`);
}

function keyFault(certificate: X509Certificate, cert: Pem, key: Pem): string | undefined {
  try {
    if (certificate.checkPrivateKey(createPrivateKey(key.bytes))) return undefined;
  } catch {
    return `${key.place} holds no private key in PEM that can be read without a password`;
  }
  return `${key.place} is not the key of ${cert.place}`;
}

/** From `<name>-data` (base64) or `<name>` (a file); kubectl refuses both together, as we do. */
async function readPem(
  files: { readonly readFile: (path: string) => Promise<Uint8Array> },
  entry: KubeconfigEntry,
  name: string,
  whose: string,
): Promise<Pem | undefined> {
  const data = wordAt(entry.value, `${name}-data`);
  const path = wordAt(entry.value, name);
  if (data !== undefined) {
    if (path !== undefined) {
      throw new LocalizerError("usage", `Cannot use ${whose}: it has both ${name} and ${name}-data; remove one`);
    }
    if (/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(data)) {
      return { bytes: Buffer.from(data, "base64"), whose, place: `its ${name}-data` };
    }
    throw new LocalizerError("usage", `Cannot use ${whose}: its ${name}-data is no base64`);
  }
  if (path === undefined) return undefined;
  const file = inFolder(entry, path);
  const bytes = Buffer.from(await readNamed(files, file, `the ${name}`));
  return { bytes, whose, place: `its ${name} "${file}"` };
}
