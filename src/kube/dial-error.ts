/** What a failed connection to the API server, or to the proxy before it, means in words. Pure. */
import { LocalizerError } from "../errors.ts";

/** Who was to be reached. */
export interface Peer {
  /** For the sentence: "the API server at 10.0.0.1:6443". */
  readonly name: string;
  readonly is: "server" | "proxy";
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused, nothing listens there",
  ECONNRESET: "the connection was cut while it was set up",
  ENOTFOUND: "the name does not resolve",
  EAI_AGAIN: "the name does not resolve right now, the resolver does not answer",
  EHOSTUNREACH: "there is no route to it",
  ENETUNREACH: "there is no route to its network",
  ETIMEDOUT: "it does not answer",
  EPIPE: "the connection was cut while it was set up",
  CERT_HAS_EXPIRED: "its certificate has expired, or this machine's clock is wrong",
  CERT_NOT_YET_VALID: "its certificate is not valid yet, or this machine's clock is wrong",
  ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL: "it, or a proxy before it, does not speak the protocol asked for",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "it wants a client certificate, and the user has none",
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: "it does not accept the user's client certificate",
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: "it does not accept the user's client certificate",
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED: "the user's client certificate has expired",
};

const notTrusted = new Set([
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "CERT_SIGNATURE_FAILURE",
]);

const noTls = new Set(["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"]);

/** The LocalizerError for a connection that could not be made: `unavailable`, with the peer and the reason. */
export function dialError(peer: Peer, error: Error): LocalizerError {
  const sentence = `Cannot connect to ${peer.name}: ${dialReason(error, peer.is)}`;
  return new LocalizerError("unavailable", sentence, { cause: error });
}

/**
 * The reason alone. It may come after the connection is up: with TLS 1.3 the far side says only then that it wants
 * another client certificate.
 */
export function dialReason(error: Error, who: Peer["is"]): string {
  const code = String(Reflect.get(error, "code"));
  const authority = who === "server" ? "the kubeconfig's certificate-authority" : "an authority that is trusted here";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    // "Hostname/IP does not match certificate's altnames: Host: a. is not in the cert's altnames: DNS:b"
    return `its certificate is for another name (${error.message.replace(/^.*altnames: /, "")})`;
  }
  if (code === "DEPTH_ZERO_SELF_SIGNED_CERT") return `its certificate is self-signed and not ${authority}`;
  if (notTrusted.has(code)) return `its certificate is not signed by ${authority}`;
  if (noTls.has(code)) return `it does not speak TLS, the ${who}'s URL may have to start with http://`;
  return reasons[code] ?? error.message;
}
