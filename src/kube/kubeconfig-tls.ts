/** Certificates of a kubeconfig: whom we trust, and what we show. */
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
 * @throws LocalizerError `usage` when they contradict each other or are no base64, `not-found` or `denied` for a file
 */
export async function readTls(
  files: { readonly readFile: (path: string) => Promise<Uint8Array> },
  { clusterName, cluster, userName, user }: TlsEntries,
): Promise<TlsOptions> {
  const insecure = isInsecure(clusterName, cluster);
  const ca = await readPem(files, cluster, "certificate-authority", `the cluster "${clusterName}"`);
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
  const servername = wordAt(cluster.value, "tls-server-name");
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
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

/** From `<name>-data` (base64) or `<name>` (a file); kubectl refuses both together, as we do. */
async function readPem(
  files: { readonly readFile: (path: string) => Promise<Uint8Array> },
  entry: KubeconfigEntry,
  name: string,
  whose: string,
): Promise<Buffer | undefined> {
  const data = wordAt(entry.value, `${name}-data`);
  const path = wordAt(entry.value, name);
  if (data !== undefined) {
    if (path !== undefined) {
      throw new LocalizerError("usage", `Cannot use ${whose}: it has both ${name} and ${name}-data; remove one`);
    }
    if (/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(data)) return Buffer.from(data, "base64");
    throw new LocalizerError("usage", `Cannot use ${whose}: its ${name}-data is no base64`);
  }
  if (path === undefined) return undefined;
  return Buffer.from(await readNamed(files, inFolder(entry, path), `the ${name}`));
}
