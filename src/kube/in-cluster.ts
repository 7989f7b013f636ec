/** The cluster that this process runs in, as a pod: client-go's InClusterConfig (rest/config.go). */
import { isIPv6 } from "node:net";
import { LocalizerError } from "../errors.ts";
import { type Credentials, tokenFromFile } from "./credentials.ts";
import { certificatesOf } from "./kubeconfig-tls.ts";

/** The service account that the kubelet gives a pod, and the API server that it belongs to. */
export interface InCluster {
  readonly server: URL;
  /** Without it the system's authorities count, as in client-go. */
  readonly ca: Buffer | undefined;
  readonly namespace: string | undefined;
  readonly credentials: Credentials;
}

const folder = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Undefined when the environment names no API server or the service account's token is not there.
 * @throws LocalizerError `usage` when its authority is there and holds no certificate
 */
export async function inCluster(options: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly readFile: (path: string) => Promise<Uint8Array>;
}): Promise<InCluster | undefined> {
  const { KUBERNETES_SERVICE_HOST: host = "", KUBERNETES_SERVICE_PORT: port = "" } = options.env;
  if (host === "" || port === "") return undefined;
  const server = URL.parse(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`);
  const read = async (name: string) => Buffer.from(await options.readFile(`${folder}/${name}`));
  const readIfThere = (name: string) => read(name).catch(() => undefined);
  const [token, ca, namespace] = await Promise.all(["token", "ca.crt", "namespace"].map(readIfThere));
  if (server === null || token === undefined) return undefined;
  if (ca !== undefined && certificatesOf(ca).all.length === 0) {
    const sentence = `Cannot use the pod's service account: "${folder}/ca.crt" holds no certificate in PEM that can be read`;
    throw new LocalizerError("usage", sentence);
  }
  return {
    server,
    ca,
    namespace: namespace?.toString("utf8").trim() || undefined,
    credentials: tokenFromFile(`${folder}/token`, options.readFile),
  };
}
