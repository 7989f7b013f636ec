/** ConnectSsh by ssh2: whom to trust, by which algorithms, and what a failed handshake means. */
import { createHash } from "node:crypto";
import type { Duplex } from "node:stream";
import type { Algorithms } from "ssh2";
import { systemClock, withTimeout } from "../clock.ts";
import { LocalizerError, throwIfAborted } from "../errors.ts";
import { ClientConnection, type ClientOptions } from "./client-connection.ts";
import type { ConnectSsh, SshConnection, SshIdentity } from "./ssh-connection.ts";

/** What OpenSSH itself prefers, as far as ssh2 has it; SHA-1, CBC and RSA are among ssh2's defaults. AES-GCM is the fastest here. */
const algorithms: Algorithms = {
  kex: ["curve25519-sha256", "curve25519-sha256@libssh.org"],
  serverHostKey: ["ssh-ed25519"],
  cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"],
  // None of the three ciphers uses one; the list must not be empty.
  hmac: ["hmac-sha2-256-etm@openssh.com"],
  compress: ["none"],
};

/** How patient it is, and how much it takes. */
export interface SshOptions extends ClientOptions {
  /** From the first byte to the accepted key. */
  readonly handshakeMs: number;
}

const defaults: SshOptions = {
  clock: systemClock,
  handshakeMs: 15_000,
  keepaliveMs: 5_000,
  silenceMs: 15_000,
  maxChannels: 256,
};

const action = "Cannot open SSH connection";

/** As `ConnectSsh` says. A transport that is a socket should have Nagle's algorithm off. */
export async function connectSsh(
  transport: Duplex,
  identity: SshIdentity,
  signal: AbortSignal,
  given: Partial<SshOptions> = {},
): Promise<SshConnection> {
  const options = { ...defaults, ...given };
  const connection = new ClientConnection(transport, options);
  try {
    throwIfAborted(signal);
    const wanted = hostKeyBytes(identity.hostKey);
    const config = {
      username: identity.user,
      privateKey: identity.clientKey.privateKey,
      authHandler: ["publickey" as const],
      algorithms,
      hostVerifier(key: Buffer) {
        if (!key.equals(wanted)) connection.lose(wrongHostKey(key, wanted));
        return key.equals(wanted);
      },
    };
    await withTimeout(options.clock, { action, timeoutMs: options.handshakeMs, signal }, (inner) =>
      connection.open(config, inner),
    );
    return connection;
  } catch (error) {
    const reason = LocalizerError.from(error, "unavailable");
    connection.lose(reason);
    if (reason.code === "timeout" || reason.code === "aborted") throw reason;
    throw LocalizerError.wrap(reason, action);
  }
}

/** The types agree: what expose asks for is what this is. */
connectSsh satisfies ConnectSsh;

function hostKeyBytes(line: string): Buffer {
  const [type, base64 = ""] = line.trim().split(/\s+/);
  const bytes = Buffer.from(base64, "base64");
  if (type !== "ssh-ed25519" || bytes.length !== 51) {
    throw new LocalizerError("internal", `Want a host key "ssh-ed25519 …", not "${line}"`);
  }
  return bytes;
}

function wrongHostKey(key: Buffer, wanted: Buffer): LocalizerError {
  const sentence = `The SSH server has the host key "${fingerprint(key)}" instead of "${fingerprint(wanted)}"`;
  return new LocalizerError("denied", sentence);
}

/** As ssh-keygen -l shows it. */
function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replaceAll("=", "")}`;
}
