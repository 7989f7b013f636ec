/** What a failed connection to the API server means, in words. Pure. */
import { LocalizerError } from "../errors.ts";

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused, nothing listens there",
  ECONNRESET: "the connection was cut while it was set up",
  ENOTFOUND: "the name does not resolve",
  EAI_AGAIN: "the name does not resolve right now, the resolver does not answer",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to its network",
  ETIMEDOUT: "it does not answer",
  EPIPE: "the connection was cut while it was set up",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is self-signed and not the kubeconfig's certificate-authority",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not signed by the kubeconfig's certificate-authority",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not signed by the kubeconfig's certificate-authority",
  UNABLE_TO_GET_ISSUER_CERT: "its certificate is not signed by the kubeconfig's certificate-authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not signed by the kubeconfig's certificate-authority",
  CERT_SIGNATURE_FAILURE: "its certificate is not signed by the kubeconfig's certificate-authority",
  CERT_HAS_EXPIRED: "its certificate has expired, or this machine's clock is wrong",
  CERT_NOT_YET_VALID: "its certificate is not valid yet, or this machine's clock is wrong",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS, the server's URL may have to start with http://",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "it does not speak TLS, the server's URL may have to start with http://",
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: "it, or a proxy before it, does not speak the protocol asked for",
};

/** The LocalizerError for a connection that could not be made: `unavailable`, with host, port and reason. */
export function dialError(host: string, port: number, error: Error): LocalizerError {
  const code: unknown = Reflect.get(error, "code");
  const action = `Cannot connect to the API server at ${host}:${port}`;
  return new LocalizerError("unavailable", `${action}: ${reasonOf(String(code), error)}`, { cause: error });
}

function reasonOf(code: string, error: Error): string {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    // "Hostname/IP does not match certificate's altnames: Host: a. is not in the cert's altnames: DNS:b"
    return `its certificate is for another name (${error.message.replace(/^.*altnames: /, "")})`;
  }
  return reasons[code] ?? error.message;
}
