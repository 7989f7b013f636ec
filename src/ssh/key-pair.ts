/** Keys for one session, never used again (Ed25519, RFC 8709). */

/** A key pair as text. */
export interface KeyPair {
  /** In OpenSSH's own format, as ssh-keygen writes it without a passphrase. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA…`, without a comment. */
  readonly publicKey: string;
}
