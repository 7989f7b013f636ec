/** Keys for one session, never used again (Ed25519, RFC 8709). */
import { generateKeyPairSync, randomBytes } from "node:crypto";

const keyType = "ssh-ed25519";

/** A key pair as text. */
export interface KeyPair {
  /** In OpenSSH's own format, as ssh-keygen writes it without a passphrase. */
  readonly privateKey: string;
  /** `ssh-ed25519 AAAA…`, without a comment. */
  readonly publicKey: string;
}

/**
 * A new pair. The format of the private key is that of OpenSSH's PROTOCOL.key; written here, because ssh2's own generator
 * goes through a DER parser that has mangled keys before.
 */
export function makeKeyPair(): KeyPair {
  const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const [seed, point] = [jwk.d, jwk.x].map((text) => Buffer.from(text ?? "", "base64url"));
  if (seed?.length !== 32 || point?.length !== 32) throw new TypeError("An Ed25519 key has two parts of 32 bytes");

  const publicKey = Buffer.concat([string(keyType), string(point)]);
  // Readers compare the two: with a passphrase that tells a wrong one.
  const check = randomBytes(4);
  const secret = Buffer.concat([check, check, publicKey, string(Buffer.concat([seed, point])), string("")]);
  const padding = Uint8Array.from({ length: -secret.length & 7 }, (_, index) => index + 1);
  const file = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    ...["none", "none", ""].map(string),
    uint32(1),
    string(publicKey),
    string(Buffer.concat([secret, padding])),
  ]);
  const lines = file.toString("base64").match(/.{1,70}/g) ?? [];
  return {
    privateKey: ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join("\n"),
    publicKey: `${keyType} ${publicKey.toString("base64")}`,
  };
}

/** RFC 4251, 5: its length, then its bytes. */
function string(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
