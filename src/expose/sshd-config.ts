/**
 * What sshd is told in an exposure's pod: one user who logs in with one key and may do nothing but listen on the Service's
 * target ports. Pure text, for OpenSSH from 8.5 on (verified.md 1.3 and 3.1; sshd_config(5)). Used by session-manifests.
 */
import { LocalizerError } from "../errors.ts";
import { type Port, port } from "../model/port.ts";

/** The only user of the pod; its uid is what the container runs as. */
export const sshUser = "localizer";

/** Where the session's files are mounted. */
export const sessionFolder = "/etc/localizer";

const firstSshPort = 2222;

/** Where sshd listens: 2222, or the next port that is no target port. */
export function sshPort(targets: readonly Port[]): Port {
  const taken = new Set<number>(targets);
  for (let candidate = firstSshPort; candidate <= 65_535; candidate++) {
    if (!taken.has(candidate)) return port(candidate);
  }
  throw new LocalizerError("usage", "Cannot find a port for sshd: the Service leads to all from 2222 on");
}

/**
 * The text of sshd_config. `PerSourcePenalties no` is missing, for it is fatal before 9.8: the start command adds it where it is
 * known. So are `UsePAM` and `PrintLastLog`, for builds without them would log a line for each connection.
 *
 * @param targets where clients may have it listen, at all addresses of the pod
 * @param listen where it listens itself, on loopback only: port-forwarding arrives there, and nobody else does
 */
export function sshdConfig(targets: readonly Port[], listen: Port): string {
  const lines = [
    `Port ${listen}`,
    "ListenAddress 127.0.0.1",
    "ListenAddress ::1",
    `HostKey ${sessionFolder}/hostkey`,
    "PidFile none",
    // A Secret's files are links in a folder that all may write.
    "StrictModes no",
    `AuthorizedKeysFile ${sessionFolder}/authorized_keys`,
    "AuthenticationMethods publickey",
    "PubkeyAuthentication yes",
    "PubkeyAcceptedAlgorithms ssh-ed25519",
    "HostKeyAlgorithms ssh-ed25519",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "HostbasedAuthentication no",
    "PermitEmptyPasswords no",
    "PermitRootLogin no",
    `AllowUsers ${sshUser}`,
    // No shell, no command, no subsystem; forwarding needs no session.
    "MaxSessions 0",
    "PermitTTY no",
    "PermitUserRC no",
    "PermitUserEnvironment no",
    "X11Forwarding no",
    "AllowAgentForwarding no",
    "AllowStreamLocalForwarding no",
    "PermitTunnel no",
    "AllowTcpForwarding remote",
    "PermitOpen none",
    `PermitListen ${[...new Set(targets)].join(" ")}`,
    "GatewayPorts yes",
    // A client that is silent loses its ports after 2 s x 2 x (2 + 1).
    "ClientAliveInterval 2",
    "ClientAliveCountMax 2",
    "LoginGraceTime 15",
    "MaxAuthTries 2",
    "MaxStartups 4:50:8",
    "Ciphers aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com",
    "KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org",
    "Compression no",
    "UseDNS no",
    "PrintMotd no",
    "LogLevel INFO",
  ];
  return `${lines.join("\n")}\n`;
}
